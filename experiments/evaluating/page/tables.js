// Sorts tables by the column whose header is pressed: ascending, descending, original order.

const NEXT = { none: "ascending", ascending: "descending", descending: "none" };
const collator = new Intl.Collator("en", { numeric: true });

function sortKey(row, column) {
  const cell = row.cells[column];
  if (cell.dataset.value !== undefined) return Number(cell.dataset.value);
  return cell.classList.contains("number") ? null : cell.textContent; // null: a dash or NaN
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a < b ? -1 : Number(a > b);
  if (typeof a === "string" && typeof b === "string") return collator.compare(a, b);
  return typeof a === "number" ? -1 : 1; // numbers before text
}

function sorted(rows, column, order) {
  if (order === "none") return rows;
  const sign = order === "ascending" ? 1 : -1;
  return rows.toSorted((first, second) => {
    const [a, b] = [sortKey(first, column), sortKey(second, column)];
    if (a === null || b === null) return Number(a === null) - Number(b === null); // always last
    return sign * compare(a, b);
  });
}

function makeSortable(table) {
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const rows = [...body.rows];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    header.append(button);
    header.ariaSort = "none";
    button.addEventListener("click", () => {
      const order = NEXT[header.ariaSort];
      for (const other of headers) other.ariaSort = "none";
      header.ariaSort = order;
      body.append(...sorted(rows, column, order));
    });
  });
}

document.querySelectorAll("main table").forEach(makeSortable);

// On narrow screens, the contents would push the report off the first screen.
if (matchMedia("(max-width: 70rem)").matches) {
  document.querySelector("nav details").open = false;
}
