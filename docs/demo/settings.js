// The controls for quality and strength.

const find = (id) => document.querySelector(`#${id}`);

export class Settings {
  /** Calls `change` when a setting has changed. */
  constructor(change) {
    this.estimate = find("estimate");
    this.given = find("given");
    this.strength = find("strength");
    this.estimate.addEventListener("change", () => {
      this.given.disabled = this.estimate.checked;
      change();
    });
    for (const input of [this.given, this.strength]) {
      input.addEventListener("input", () => this.write());
      input.addEventListener("change", change); // on release
    }
  }

  /** { quality, strength }; quality is null if it is to be estimated. */
  values() {
    const quality = this.estimate.checked ? null : Number(this.given.value);
    return { quality, strength: Number(this.strength.value) };
  }

  /** Sets the initial value of the manual quality. */
  suggest(estimated) {
    if (this.estimate.checked) this.given.value = Math.round(estimated);
    this.write();
  }

  write() {
    find("given-number").value = this.given.value;
    find("strength-number").value = Number(this.strength.value).toFixed(2);
  }
}
