// The page of `covid-datasets browse`. What comes from metadata is only ever text: textContent, and no markup.
"use strict";

const $ = (id) => document.getElementById(id);
const [WIDTH, HEIGHT, PAGE, PAGES] = [172, 216, 200, 40];
const TALLEST = 8_000_000;  // pixels; browsers draw nothing beyond some 16 million
const COLOURS = ["#ff5252", "#40c4ff", "#ffd740", "#69f0ae", "#e040fb", "#ff9100", "#b2ff59", "#8c9eff"];

const ask = { text: "", order: "number", descending: false };
let about, total = 0, active = 0, round = 0, columns = 1, still = true, due = false, settle, typed;
let asking = new AbortController();  // ends what was asked before the question changed
let pages = new Map();          // number of a page -> its rows, or the promise of them
const cells = new Map();        // number of an image in the selection -> its element

const question = () => JSON.stringify(Object.fromEntries(Object.entries(ask).filter(([, value]) => value !== "" && value !== false)));

async function get(path, query = {}, signal = undefined) {
  const answer = await fetch(`${path}?${new URLSearchParams(query)}`, { signal });
  if ((answer.headers.get("content-type") || "").startsWith("application/json")) {
    const told = await answer.json();
    if (answer.ok) return told;
    throw new Error(told.message);
  }
  throw new Error(answer.status === 403 ? "This page is of an earlier run: open the address that was printed last." : `HTTP ${answer.status}`);
}

function element(name, words = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = words;
  if (kind) made.className = kind;
  return made;
}

// ---- the question -------------------------------------------------------------------------------------------------

async function changed() {
  const mine = ++round;
  asking.abort();
  asking = new AbortController();
  pages = new Map();
  active = 0;
  $("grid").scrollTop = 0;
  history.replaceState(null, "", `/#${encodeURIComponent(question())}`);
  for (const form of ["split", "csv"]) $(`save-${form}`).href = `/save/${form}?${new URLSearchParams({ ask: question() })}`;
  try {
    await page(0);
    if (mine !== round) return;
    $("total").textContent = `${total.toLocaleString("en")} of ${about.rows.toLocaleString("en")} images`;
    empty();
    render();
    const counts = await get("/counts", { ask: question() }, asking.signal);
    if (mine === round) showCounts(counts);
  } catch (error) {
    if (mine === round) $("total").textContent = error.message;
  }
}

function page(number) {
  if (pages.has(number)) {
    const found = pages.get(number);
    pages.delete(number);
    pages.set(number, found);  // the latest last
    return found;
  }
  const [mine, into] = [round, pages];
  const promise = get("/rows", { ask: question(), start: number * PAGE, count: PAGE }, asking.signal).then((told) => {
    if (mine === round) total = told.total;
    into.set(number, told.rows);
    if (into.size > PAGES) into.delete(into.keys().next().value);
    return told.rows;
  });
  pages.set(number, promise);
  promise.catch(() => into.delete(number));
  return promise;
}

function choose(column, value, wanted) {
  const values = new Set(ask[column] || []);
  wanted ? values.add(value) : values.delete(value);
  values.size ? ask[column] = [...values] : delete ask[column];
  changed();
}

function only(column, value) {  // a filter that has no box of its own: one patient, one group
  for (const name of ["patient_id", "group_id", "pixel_hash"]) delete ask[name];
  ask[column] = [value];
  $("one").close();
  showFilters();
  changed();
}

function showFilters() {
  const open = new Set([...document.querySelectorAll("aside details[open]")].map((each) => each.dataset.column));
  $("filters").replaceChildren();
  for (const name of ["patient_id", "group_id", "pixel_hash", "build", "date"]) {
    if (!ask[name]) continue;
    const button = element("button", `× ${name}: ${ask[name].join(", ")}`, "only");
    button.addEventListener("click", () => { delete ask[name]; showFilters(); changed(); });
    $("filters").append(button);
  }
  for (const [column, values] of Object.entries(about.choices)) {
    if (values.length < 2) continue;
    const part = element("details");
    part.dataset.column = column;
    part.open = open.has(column) || Boolean(ask[column]) || ["dataset", "modality", "finding"].includes(column);
    part.append(element("summary", column.replaceAll("_", " ")));
    for (const value of values) {
      const label = element("label");
      const box = element("input");
      box.type = "checkbox";
      box.checked = (ask[column] || []).includes(value);
      box.addEventListener("change", () => choose(column, value, box.checked));
      const count = element("span");
      count.dataset.of = `${column}\n${value ?? ""}`;
      label.append(box, element("span", value ?? "unknown"), count);
      part.append(label);
    }
    $("filters").append(part);
  }
  for (const column of about.ranges) {
    const part = element("details");
    part.dataset.column = column;
    part.open = open.has(column) || Boolean(ask[column]);
    part.append(element("summary", column.replaceAll("_", " ")));
    const ends = (ask[column] || [null, null]).map((end, at) => {
      const input = element("input");
      input.type = "number";
      input.setAttribute("aria-label", `${column} ${at ? "to" : "from"}`);
      input.value = end ?? "";
      return input;
    });
    for (const input of ends) input.addEventListener("change", () => {
      const found = ends.map((each) => each.value === "" ? null : Number(each.value));
      found.every((end) => end === null) ? delete ask[column] : ask[column] = found;
      changed();
    });
    part.append(ends[0], " to ", ends[1]);
    $("filters").append(part);
  }
}

function showCounts(counts) {
  for (const each of document.querySelectorAll("[data-of]")) {
    const at = each.dataset.of.indexOf("\n");
    const count = counts[each.dataset.of.slice(0, at)]?.[each.dataset.of.slice(at + 1)] || 0;
    each.textContent = count.toLocaleString("en");
  }
}

// ---- the grid: rows of a fixed height, of which only those in sight are elements ------------------------------------

function measures() {
  const grid = $("grid");
  columns = Math.max(1, Math.floor(grid.clientWidth / WIDTH));
  const tall = Math.ceil(total / columns) * HEIGHT;
  const room = Math.min(tall, TALLEST);
  const scale = tall > room ? (tall - grid.clientHeight) / (room - grid.clientHeight) : 1;
  return { grid, room, scale };
}

function empty() {
  for (const cell of cells.values()) drop(cell);
  cells.clear();
}

function drop(cell) {
  cell.querySelector("img")?.removeAttribute("src");  // a thumbnail that nobody waits for any more
  cell.remove();
}

function soon() {  // however often it is asked for, once a frame
  if (due) return;
  due = true;
  requestAnimationFrame(() => { due = false; render(); });
}

function render() {
  const { grid, room, scale } = measures();
  $("room").style.height = `${room}px`;
  const top = grid.scrollTop, begin = top * scale;
  const first = Math.max(0, Math.floor(begin / HEIGHT) - 1) * columns;
  const last = Math.min(total, (Math.ceil((begin + grid.clientHeight) / HEIGHT) + 1) * columns);
  for (const [number, cell] of cells) if (number < first || number >= last) { drop(cell); cells.delete(number); }
  for (let number = first; number < last; number++) {
    if (!cells.has(number)) cells.set(number, makeCell(number));
    const cell = cells.get(number);
    const y = Math.floor(number / columns) * HEIGHT - begin + top;
    cell.style.transform = `translate(${(number % columns) * WIDTH + 2}px, ${y + 2}px)`;
    cell.classList.toggle("active", number === active);
    cell.setAttribute("aria-selected", String(number === active));
    fill(cell, number);
  }
  cells.has(active) ? grid.setAttribute("aria-activedescendant", `cell-${active}`) : grid.removeAttribute("aria-activedescendant");
}

function makeCell(number) {
  const cell = element("div", "", "cell");
  cell.id = `cell-${number}`;
  cell.setAttribute("role", "option");
  cell.setAttribute("aria-posinset", number + 1);
  cell.setAttribute("aria-setsize", total);
  cell.append(element("span", "", "none"));
  cell.addEventListener("click", () => { active = number; render(); openOne(number); });
  $("room").append(cell);
  return cell;
}

function fill(cell, number) {
  const rows = page(Math.floor(number / PAGE));
  if (!Array.isArray(rows)) { rows.then(soon, () => {}); return; }
  const row = rows[number % PAGE];
  if (!row) return;
  if (cell.childElementCount === 1) {
    cell.append(element("div", row.sample_id), element("div", [row.finding ?? "no label", row.modality, row.split].filter(Boolean).join(" · "), "soft"), element("div", row.dataset, "soft"));
    cell.setAttribute("aria-label", `${row.sample_id}, ${row.finding ?? "no label"}, ${row.modality}, ${row.split}`);
  }
  if (still && cell.firstChild.tagName === "SPAN" && !cell.firstChild.textContent) {
    cell.firstChild.replaceWith(thumbnail(row));
  }
}

function thumbnail(row) {
  const image = element("img");
  image.alt = "";
  image.decoding = "async";
  image.addEventListener("error", () => { if (image.hasAttribute("src")) image.replaceWith(element("span", "cannot be shown", "none")); });
  image.src = `/thumb/${row.build}/${row.row}`;
  return image;
}

function move(to) {
  active = Math.max(0, Math.min(total - 1, to));
  const { grid, scale } = measures();
  const y = Math.floor(active / columns) * HEIGHT;
  if (y < grid.scrollTop * scale) grid.scrollTop = y / scale;
  else if (y + HEIGHT > grid.scrollTop * scale + grid.clientHeight) grid.scrollTop = Math.ceil((y + HEIGHT - grid.clientHeight) / scale);
  render();
}

// ---- one image -----------------------------------------------------------------------------------------------------

let shown = null, stack = null, playing = 0, drawing = 0;

async function openOne(number, row = null) {
  row ??= (await page(Math.floor(number / PAGE)))[number % PAGE];
  if (!row) return;
  stop();
  shown = { number, row };
  stack = null;
  const mine = shown;
  $("name").textContent = row.sample_id;
  $("problem").textContent = "";
  $("told").replaceChildren();
  $("beside").replaceChildren();
  $("marks").replaceChildren();
  for (const id of ["of-plane", "play", "of-window", "of-opacity"]) $(id).hidden = true;
  $("picture").width = $("picture").height = 0;
  if (!$("one").open) $("one").showModal();
  get(`/sample/${row.build}/${row.row}`).then((told) => { if (mine === shown) showTold(told); }, problem(mine));
  get(`/planes/${row.build}/${row.row}`).then((told) => { if (mine === shown) showStack(told); }, problem(mine));
}

const known = (_, value) => value === null ? undefined : value;  // of many columns most are unknown
const problem = (mine) => (error) => { if (mine === shown) $("problem").textContent = error.message; };

function showTold({ row, beside }) {
  for (const [name, value] of Object.entries(row)) {
    if (value === null || (Array.isArray(value) && !value.length)) continue;
    if (typeof value === "object" && Object.values(value).every((each) => each === null)) continue;
    const line = element("tr");
    let words = typeof value === "object" ? JSON.stringify(value, known, 1) : String(value);
    if (name === "source_row") try { words = JSON.stringify(JSON.parse(words), null, 1); } catch { /* shown as it is */ }
    const head = element("th", name);
    head.scope = "row";
    line.append(head, element("td", words));
    $("told").append(line);
  }
  const columnsOf = { patient: "patient_id", group: "group_id", "same picture": "pixel_hash" };
  for (const [name, { count, rows, value }] of Object.entries(beside)) {
    if (!count) continue;
    const line = element("p");
    const button = element("button", `${count.toLocaleString("en")} more of the same ${name.replace("same ", "")}`);
    button.addEventListener("click", () => only(columnsOf[name], value));
    line.append(button);
    const strip = element("div", "", "strip");
    for (const each of rows) {
      const small = element("button");
      small.title = `${each.sample_id}, ${each.finding ?? "no label"}, ${each.split}`;
      small.append(thumbnail(each));
      small.addEventListener("click", () => openOne(shown.number, each));
      strip.append(small);
    }
    $("beside").append(line, strip);
  }
}

function showStack(told) {
  stack = { ...told, images: new Map() };
  const middle = told.kind === "volume" ? Math.floor(told.count / 2) : 0;
  $("plane").max = told.count - 1;
  $("plane").value = middle;
  $("of-plane").hidden = told.count < 2;
  $("play").hidden = told.count < 2;
  $("of-window").hidden = !told.hounsfield;
  $("of-opacity").hidden = !told.masks.length;
  told.masks.forEach((name, at) => {
    const label = element("label");
    const box = element("input");
    box.type = "checkbox";
    box.checked = true;
    box.value = name;
    box.addEventListener("change", draw);
    const swatch = element("span", "", "swatch");
    swatch.style.background = COLOURS[at % COLOURS.length];
    label.append(box, " ", swatch, ` ${name.replaceAll("_", " ")}`);
    $("marks").append(label);
  });
  draw();
}

function load(path) {
  const mine = stack;
  if (!mine.images.has(path)) {
    mine.images.set(path, new Promise((resolve, reject) => {
      const image = new Image();
      image.onload = () => resolve(image);
      image.onerror = () => reject(new Error("This picture cannot be shown any more; reload the page."));
      image.src = path;
    }));
    if (mine.images.size > 60) mine.images.delete(mine.images.keys().next().value);
  }
  return mine.images.get(path);
}

async function draw() {
  if (!stack || !shown) return;
  const [mine, turn, number] = [shown, ++drawing, Number($("plane").value)];
  const { build, row } = shown.row;
  $("number").textContent = `${number + 1} of ${stack.count}`;
  const window = stack.hounsfield ? `?${new URLSearchParams({ window: $("window").value })}` : "";
  const marks = stack.masks.map((name, at) => [name, COLOURS[at % COLOURS.length]]).filter((_, at) => $("marks").querySelectorAll("input")[at]?.checked);
  try {
    const [plane, ...masks] = await Promise.all([
      load(`/plane/${build}/${row}/${number}${window}`),
      ...marks.map(([name]) => load(`/mask/${build}/${row}/${name}/${number}`)),
    ]);
    if (mine !== shown || turn !== drawing) return;
    const canvas = $("picture");
    canvas.width = plane.naturalWidth;
    canvas.height = plane.naturalHeight;
    const context = canvas.getContext("2d");
    context.drawImage(plane, 0, 0);
    context.globalAlpha = Number($("opacity").value) / 100;
    masks.forEach((mask, at) => context.drawImage(tinted(mask, marks[at][1]), 0, 0, canvas.width, canvas.height));
    canvas.setAttribute("aria-label", `${mine.row.sample_id}, ${mine.row.modality}, ${mine.row.finding ?? "no label"}${marks.length ? `, masks: ${marks.map(([name]) => name).join(", ")}` : ""}`);
  } catch (error) {
    problem(mine)(error);
  }
}

function tinted(mask, colour) {
  const canvas = element("canvas");
  canvas.width = mask.naturalWidth;
  canvas.height = mask.naturalHeight;
  const context = canvas.getContext("2d");
  context.drawImage(mask, 0, 0);
  context.globalCompositeOperation = "source-in";
  context.fillStyle = colour;
  context.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}

function step(by) {
  if (!stack || stack.count < 2) return;
  $("plane").value = Math.max(0, Math.min(stack.count - 1, Number($("plane").value) + by));
  draw();
}

function stop() {
  clearInterval(playing);
  playing = 0;
  $("play").textContent = "Play";
}

function play() {
  if (!stack || stack.count < 2) return;
  if (playing) return stop();
  $("play").textContent = "Pause";
  playing = setInterval(() => {
    $("plane").value = (Number($("plane").value) + 1) % stack.count;
    draw();
  }, 1000 / Math.min(25, stack.hertz || 10));
}

function other(by) {
  const to = shown.number + by;
  if (to < 0 || to >= total) return;
  move(to);
  openOne(to);
}

// ---- what people do ------------------------------------------------------------------------------------------------

$("grid").addEventListener("scroll", () => {
  still = false;
  clearTimeout(settle);
  settle = setTimeout(() => { still = true; render(); }, 70);
  soon();
});
new ResizeObserver(soon).observe($("grid"));
$("grid").addEventListener("keydown", (event) => {
  const rows = Math.max(1, Math.floor($("grid").clientHeight / HEIGHT));
  const to = {
    ArrowRight: active + 1, ArrowLeft: active - 1, ArrowDown: active + columns, ArrowUp: active - columns,
    PageDown: active + rows * columns, PageUp: active - rows * columns, Home: 0, End: total - 1,
  }[event.key];
  if (to !== undefined) move(to);
  else if (event.key === "Enter") openOne(active);
  else return;
  event.preventDefault();
});
$("text").addEventListener("input", () => {
  clearTimeout(typed);
  typed = setTimeout(() => { ask.text = $("text").value.trim(); changed(); }, 150);
});
$("order").addEventListener("change", () => { ask.order = $("order").value; changed(); });
$("descending").addEventListener("change", () => { ask.descending = $("descending").checked; changed(); });
$("clear").addEventListener("click", () => {
  for (const name of Object.keys(ask)) if (!["text", "order", "descending"].includes(name)) delete ask[name];
  $("text").value = ask.text = "";
  showFilters();
  changed();
});
$("previous").addEventListener("click", () => other(-1));
$("next").addEventListener("click", () => other(1));
$("close").addEventListener("click", () => $("one").close());
$("one").addEventListener("close", () => { stop(); shown = null; $("grid").focus(); });
$("play").addEventListener("click", play);
for (const id of ["plane", "opacity"]) $(id).addEventListener("input", draw);
$("window").addEventListener("change", draw);
$("frame").addEventListener("wheel", (event) => { event.preventDefault(); step(Math.sign(event.deltaY)); }, { passive: false });
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches?.("input[type=search], input[type=number], select");
  if (!$("one").open) {
    if (event.key === "/" && !typing) { event.preventDefault(); $("text").focus(); }
    return;
  }
  if (typing || (event.target.matches?.("input[type=range]") && event.key.startsWith("Arrow"))) return;
  const does = {
    ArrowLeft: () => other(-1), ArrowRight: () => other(1), ArrowUp: () => step(-1), ArrowDown: () => step(1),
    w: () => { $("window").selectedIndex = ($("window").selectedIndex + 1) % $("window").length; draw(); },
    m: () => { $("opacity").value = Number($("opacity").value) ? 0 : 40; draw(); },
    " ": event.target.matches?.("button, input") ? null : play,
  }[event.key];
  if (does) { event.preventDefault(); does(); }
});

async function begin() {
  try {
    about = await get("/about");
  } catch (error) {
    $("total").textContent = error.message;
    return;
  }
  try {
    Object.assign(ask, JSON.parse(decodeURIComponent(location.hash.slice(1)) || "{}"));
  } catch { /* an address that was cut: begin with all rows */ }
  for (const [id, words] of [["order", about.orders], ["window", about.windows]]) {
    for (const word of words) {
      const option = element("option", word === "number" ? "as stored" : word.replaceAll("_", " "));
      option.value = word;
      $(id).append(option);
    }
  }
  $("text").value = ask.text;
  $("order").value = ask.order;
  $("descending").checked = ask.descending;
  $("notes").textContent = about.left_out.length ? `Left out: ${about.left_out.join(" · ")}` : "";
  showFilters();
  await changed();
}

begin();
