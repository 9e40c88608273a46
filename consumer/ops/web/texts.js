// Figures as words, and the only ways in which anything gets onto the page: as text, never as markup.

export function make(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

// Only what has changed is touched, so that a selection, and a screen reader's place, stay.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function plural(count, one, many = `${one}s`) {
  return `${numberText(count)} ${count === 1 ? one : many}`;
}

export function numberText(value) {
  if (value === null || value === undefined) return "–";
  if (Math.abs(value) >= 1e7) return `${(value / 1e6).toFixed(1)} M`;
  return Math.round(value).toLocaleString("en");
}

// 0.0421 → 42 ms, 75 → 75 s, 7300 → 2 h 2 min
export function secondsText(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 0.9995) return `${Math.max(Math.round(seconds * 1000), 1)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  return agoText(seconds);
}

// Whole units: how long ago, how long yet.
export function agoText(seconds) {
  const whole = Math.max(Math.round(seconds), 0);
  if (whole < 120) return `${whole} s`;
  if (whole < 600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 7200) return `${Math.floor(whole / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
}

export function clockText(moment) {
  return new Date(moment).toLocaleTimeString("en-GB");
}

// [0, 1, 2, 5] → 0–2, 5
export function rangesText(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const runs = [];
  for (const number of sorted) {
    const last = runs[runs.length - 1];
    if (last && last[1] === number - 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : to === from + 1 ? `${from}, ${to}` : `${from}–${to}`)).join(", ");
}

// Several may have one key, as members of one machine without partitions: the second is another row than the first.
function keysOf(items, keyOf) {
  const times = new Map();
  return items.map((item) => {
    const key = keyOf(item);
    const before = times.get(key) ?? 0;
    times.set(key, before + 1);
    return before ? `${key} (${before + 1})` : key;
  });
}

// Rows by key: those that stay are kept and filled anew, so that what is looked at does not jump.
export function fillRows(place, items, keyOf, makeRow, fillRow) {
  const known = new Map([...place.children].map((row) => [row.dataset.key, row]));
  const keys = keysOf(items, keyOf);
  let before = null;
  for (const [number, item] of items.entries()) {
    const key = keys[number];
    let row = known.get(key);
    if (row === undefined) {
      row = makeRow();
      row.dataset.key = key;
    }
    known.delete(key);
    fillRow(row, item);
    const expected = before === null ? place.firstElementChild : before.nextElementSibling;
    if (row !== expected) place.insertBefore(row, expected);
    before = row;
  }
  for (const gone of known.values()) gone.remove();
}

// A table's row with its first cell as its head. The roles are said, since a narrow window lays rows out as cards; each
// cell then carries the words of its column.
export function rowOf(table, ...classNames) {
  const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
  return () => {
    const row = make("tr");
    row.setAttribute("role", "row");
    classNames.forEach((className, place) => {
      const cell = make(place === 0 ? "th" : "td", className);
      if (place === 0) cell.scope = "row";
      cell.setAttribute("role", place === 0 ? "rowheader" : "cell");
      cell.dataset.label = heads[place];
      row.append(cell);
    });
    return row;
  };
}

export function fillCells(row, ...texts) {
  texts.forEach((text, place) => {
    const cell = row.children[place];
    setText(cell, text);
  });
}

// One row that says that there is none; the heads of the columns say nothing then.
export function sayNone(table, text) {
  const row = make("tr", "none");
  row.setAttribute("role", "row");
  row.dataset.key = "none";
  const cell = make("td", "none", text);
  cell.setAttribute("role", "cell");
  cell.colSpan = table.tHead.rows[0].cells.length;
  row.append(cell);
  table.classList.add("empty");
  if (table.tBodies[0].textContent !== text) table.tBodies[0].replaceChildren(row);
}
