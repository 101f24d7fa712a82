// Ways to open an image: file dialog, drag and drop, paste, or the example.

/** Calls `open` with a File, or `complain` if there is none. */
export function inputs(open, complain) {
  const take = (files) => {
    if (files.length === 0) complain("That was not a file.");
    else open(files[0]);
  };

  for (const input of document.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      if (input.files.length > 0) open(input.files[0]);
      input.value = ""; // the same file may be chosen again
    });
  }

  // A counter, since dragging across nested elements fires enter and leave for each of them.
  let entered = 0;
  const over = (by) => {
    entered = Math.max(0, entered + by);
    document.body.classList.toggle("over", entered > 0);
  };
  addEventListener("dragenter", () => over(1));
  addEventListener("dragleave", () => over(-1));
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(-entered);
    take(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length > 0) take(event.clipboardData.files);
  });

  document.querySelector("#example").addEventListener("click", async () => {
    const response = await fetch(new URL("./example.jpg", import.meta.url));
    open(new File([await response.blob()], "example.jpg"));
  });
}
