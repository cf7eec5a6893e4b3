"use strict";
(async () => {
  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const { layers, heads, tokens, special, scores, steps } = data;
  const n = tokens.length;
  const words = [...document.querySelectorAll("#text .t")];

  // Whole numbers q, layer by layer, head by head, row by row; the weight is (q / steps) squared.
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  let packed = null;
  try {
    packed = await unpack(data.weights);
  } catch (error) {
    byId("trouble").textContent = `This browser cannot read the weights (${error}); only rankings can be shown.`;
    byId("trouble").hidden = false;
  }
  const weight = Float32Array.from({ length: steps + 1 }, (_, q) => (q / steps) ** 2);

  function headRow(layer, head, from) {
    const start = ((layer * heads + head) * n + from) * n;
    return Float32Array.from(packed.subarray(start, start + n), (q) => weight[q]);
  }
  function meanRow(layer, from) {
    const row = new Float32Array(n);
    for (let head = 0; head < heads; head++) headRow(layer, head, from).forEach((w, i) => { row[i] += w / heads; });
    return row;
  }

  const state = { view: "score 0", from: 0 };
  const isScore = () => state.view.startsWith("score");
  function viewRow(view, from) {  // of "score 0", "layer 3 mean" or "layer 3 head 1"
    const [kind, number, , head] = view.split(" ");
    if (kind === "score") return scores[Number(number)].values.map(Math.abs);
    return head === undefined ? meanRow(Number(number), from) : headRow(Number(number), Number(head), from);
  }

  function show() {
    const row = viewRow(state.view, state.from);
    let top = 0;
    row.forEach((w, i) => { if (!special[i]) top = Math.max(top, w); });
    words.forEach((word, i) => {
      word.style.setProperty("--w", top > 0 ? Math.min(1, row[i] / top).toFixed(3) : 0);
      word.title = `${row[i].toPrecision(2)}`;
      word.classList.toggle("chosen", !isScore() && i === state.from);
    });
    const order = [...row.keys()].filter((i) => !special[i]).sort((a, b) => row[b] - row[a]).slice(0, 10);
    byId("top").replaceChildren(...order.map((i) => {
      const item = document.createElement("li"), name = document.createElement("code");
      item.style.setProperty("--w", top > 0 ? row[i] / top : 0);
      name.textContent = tokens[i];
      item.append(name, ` ${row[i].toPrecision(2)}`);
      return item;
    }));
    const onSpecial = row.reduce((sum, w, i) => sum + (special[i] ? w : 0), 0);
    byId("about").textContent = isScore()
      ? `Darker tokens have a higher ${scores[Number(state.view.split(" ")[1])].name}.`
      : `Darker tokens get more of the attention of the framed one; ${(100 * onSpecial).toFixed(0)} % goes to special tokens. Choose another token to look from there.`;
    byId("from-label").hidden = isScore();
    byId("from").value = state.from;
    byId("from-token").textContent = `${state.from + 1}: ${tokens[state.from]}`;
    byId("view").value = state.view;
    for (const button of byId("grid").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", button.dataset.view === state.view);
    }
  }

  function shadeGrid() {  // the share of attention on words, from the chosen token
    for (const button of byId("grid").querySelectorAll("button")) {
      const row = viewRow(button.dataset.view, state.from);
      let all = 0, onWords = 0;
      row.forEach((w, i) => { all += w; if (!special[i]) onWords += w; });
      button.style.setProperty("--w", all > 0 ? (onWords / all).toFixed(3) : 0);
    }
  }

  function choose(change) {
    Object.assign(state, change);
    show();
    if (packed && "from" in change) shadeGrid();
  }

  const option = (value, text) => Object.assign(document.createElement("option"), { value, textContent: text });
  byId("view").append(...scores.map((score, i) => option(`score ${i}`, score.name)));
  if (packed) {
    const grid = byId("grid");
    const header = grid.insertRow();
    for (const text of ["", "mean", ...Array.from({ length: heads }, (_, head) => head + 1)]) {
      header.append(Object.assign(document.createElement("th"), { textContent: text, scope: "col" }));
    }
    for (let layer = 0; layer < layers; layer++) {
      const line = grid.insertRow();
      line.append(Object.assign(document.createElement("th"), { textContent: `layer ${layer + 1}`, scope: "row" }));
      for (let head = -1; head < heads; head++) {
        const view = head < 0 ? `layer ${layer} mean` : `layer ${layer} head ${head}`;
        const name = `layer ${layer + 1}, ${head < 0 ? "mean of its heads" : `head ${head + 1}`}`;
        const button = Object.assign(document.createElement("button"), { type: "button", title: name });
        button.dataset.view = view;
        button.setAttribute("aria-label", name);
        const cell = line.insertCell();
        cell.className = head < 0 ? "mean" : "";
        cell.append(button);
        byId("view").append(option(view, name));
      }
    }
    grid.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) choose({ view: button.dataset.view });
    });
    byId("text").addEventListener("click", (event) => {
      const from = words.indexOf(event.target.closest(".t"));
      if (from >= 0) choose({ from, view: isScore() ? `layer ${layers - 1} mean` : state.view });
    });
    byId("from").addEventListener("input", (event) => choose({ from: Number(event.target.value) }));
    byId("text").classList.add("live");
    byId("heads-section").hidden = false;
    shadeGrid();
  }
  byId("view").addEventListener("change", (event) => choose({ view: event.target.value }));
  byId("controls").hidden = byId("top-section").hidden = false;
  show();
})();
