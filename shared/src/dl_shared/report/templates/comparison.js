"use strict";
{
  const tables = [...document.querySelectorAll("table.runs")];
  const rowsOf = (table) => [...table.tBodies[0].rows];

  // A click on a heading sorts by its column, a second one the other way round; what has no figure stays last.
  function sort(table, column, falling) {
    const key = (row) => {
      const { number } = row.cells[column].dataset;
      return number === undefined ? NaN : Number(number);
    };
    const words = (row) => row.cells[column].textContent.trim();
    const isNumeric = rowsOf(table).some((row) => !Number.isNaN(key(row)));
    const order = (a, b) => (isNumeric ? key(a) - key(b) : words(a).localeCompare(words(b))) * (falling ? -1 : 1);
    const last = (row) => isNumeric && Number.isNaN(key(row));
    const rows = rowsOf(table).sort((a, b) => last(a) - last(b) || (last(a) ? 0 : order(a, b)));
    table.tBodies[0].append(...rows);
  }
  for (const table of tables) {
    const headings = [...table.tHead.rows[0].cells];
    headings.forEach((heading, column) => {
      const button = document.createElement("button");
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => {
        const falling = heading.ariaSort === "ascending";
        headings.forEach((other) => { other.ariaSort = null; });
        heading.ariaSort = falling ? "descending" : "ascending";
        sort(table, column, falling);
      });
    });
  }

  // A run is shown when each word typed occurs in its row or in the name of its task and data.
  const filter = document.getElementById("filter");
  const shown = document.getElementById("shown");
  function narrow() {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const table of tables) {
      const ranking = table.closest(".ranking");
      let visible = 0;
      for (const row of rowsOf(table)) {
        const text = `${ranking.getAttribute("aria-label")} ${row.textContent}`.toLowerCase();
        row.hidden = !wanted.every((word) => text.includes(word));
        visible += !row.hidden;
      }
      ranking.hidden = !visible;
      count += visible;
    }
    for (const task of document.querySelectorAll(".task")) {
      task.hidden = !task.querySelector(".ranking:not([hidden])");
    }
    shown.textContent = wanted.length ? `${count} of ${tables.flatMap(rowsOf).length} runs` : "";
  }
  filter.addEventListener("input", narrow);
  document.getElementById("controls").hidden = false;
  narrow();  // a browser that goes back to a page remembers what was typed
}
