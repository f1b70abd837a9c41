"use strict";
// Sorting and searching; without it the page is whole, in the order of the roster.
const table = document.getElementById("matrix");
const body = table.tBodies[0];
const rows = Array.from(body.rows);
const status = document.getElementById("found");
// Composed: an accent may be a character of its own, in an archive made on a Mac as in what is typed.
const texts = new Map(rows.map((row) => [row, row.dataset.text.normalize("NFC")]));
const order = ["good", "ours", "open", "broke", "wrong"];

const value = (row, column) => {
  if (column === "name") return row.dataset.name;
  if (column === "score") return Number(row.dataset.score);
  const cell = row.cells[Number(column)];
  return cell ? order.indexOf(cell.className) : order.length;
};

const collator = new Intl.Collator();
const compare = (a, b) => (typeof a === "string" ? collator.compare(a, b) : a - b);

const sort = (button) => {
  const head = button.closest("th");
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const column = button.dataset.column;
  const keyed = rows.map((row, place) => [value(row, column), place, row]);
  keyed.sort((a, b) => (down ? compare(b[0], a[0]) : compare(a[0], b[0])) || a[1] - b[1]);
  body.append(...keyed.map(([, , row]) => row));
};

const search = (words) => {
  const wanted = words.normalize("NFC").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const fits = wanted.every((word) => texts.get(row).includes(word));
    row.hidden = !fits;
    shown += fits;
  }
  status.textContent = wanted.length ? `${shown} of ${rows.length} rows` : "";
};

for (const button of table.tHead.querySelectorAll("button")) {
  button.disabled = false;
  button.addEventListener("click", () => sort(button));
}
const box = document.getElementById("search");
box.closest("form").hidden = false;
box.closest("form").addEventListener("submit", (event) => event.preventDefault());
box.addEventListener("input", () => search(box.value));
search(box.value);
