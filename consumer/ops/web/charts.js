// The last 15 minutes as lines. One value a second comes in; a line shows the highest of each few seconds, so that no
// peak is lost, and a gap where nothing is known.
import { agoText, make, numberText, secondsText, setText } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const POINTS = 300;
const WINDOWS_SECONDS = [120, 300, 900];  // a process that has just started is shown larger

// `least`: what fills a chart at the least, so that a calm run looks calm.
const CHARTS = [
  { name: "Delivered", unit: "events/s", lines: ["delivered_per_second"], least: 10, show: rateText },
  { name: "Latency p99", also: "median", lines: ["latency_p99_seconds", "latency_p50_seconds"], least: 0.5, show: secondsText },
  { name: "Lag", unit: "events", lines: ["lag_events"], least: 500, show: numberText },
  { name: "Behind for", lines: ["lag_seconds"], least: 10, show: secondsText },
  { name: "Requests that failed", unit: "/s", lines: ["retries_per_second"], least: 1, show: rateText, bad: true, small: true },
  { name: "Dead letters", unit: "/s", lines: ["dead_letters_per_second"], least: 1, show: rateText, bad: true, small: true },
  { name: "Requests in flight", lines: ["requests_in_flight"], least: 16, show: numberText, small: true },
  { name: "Events held", lines: ["held_events"], least: 10, show: numberText, small: true },
];

let history = { step_seconds: 1, seconds: 900, series: {} };
let newestAt = 0;
let pointed = null;  // the place under the mouse, counted from the newest value
const drawn = [];

function rateText(value) {
  return value >= 10 || value === 0 ? numberText(value) : value.toFixed(value < 0.1 ? 2 : 1);
}

export function layOut(place) {
  for (const chart of CHARTS) {
    const value = make("span", "value");
    const unit = make("span", "unit", chart.unit || "");
    const also = make("span", "also");
    const top = make("span", "top");
    const left = make("span", "left");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("role", "img");
    const tile = make("figure", chart.small ? "figure small" : "figure");
    const caption = make("figcaption");
    caption.append(make("span", "", chart.name), top);
    const now = make("p", "now");
    now.append(value, unit, also);
    const plot = make("div", "plot");
    plot.append(svg);
    const axis = make("p", "axis");
    axis.append(left, make("span", "", "now"));
    tile.append(caption, now, plot, axis);
    place.append(tile);
    drawn.push({ chart, tile, value, unit, also, top, left, svg });
    plot.addEventListener("pointermove", (event) => point(event, svg));
    plot.addEventListener("pointerleave", () => point(null, svg));
  }
  new ResizeObserver(draw).observe(place);
}

export function replace(told) {
  history = told;
  newestAt = Date.parse(told.ends_at);
  draw();
}

// What /status says of now, until /history is read again.
export function append(newest, at) {
  if (!newest) return;
  const steps = newestAt ? Math.round((at - newestAt) / 1000 / history.step_seconds) : 1;
  const length = history.seconds / history.step_seconds;
  if (steps <= 0) return;
  newestAt = at;
  for (const [name, value] of Object.entries(newest)) {
    const values = history.series[name] || (history.series[name] = []);
    for (let step = 0; step < Math.min(steps, length); step += 1) values.push(value);
    if (values.length > length) values.splice(0, values.length - length);
  }
  draw();
}

// How many requests there may be at once.
export function sayLimit(limit) {
  for (const { chart, unit } of drawn) {
    if (chart.lines[0] === "requests_in_flight") setText(unit, `of ${numberText(limit)}`);
  }
}

// How many values are shown.
function shownLength() {
  const known = Math.max(...Object.values(history.series).map((values) => values.length), 0) * history.step_seconds;
  const seconds = WINDOWS_SECONDS.find((each) => known <= each) ?? history.seconds;
  return seconds / history.step_seconds;
}

function point(event, svg) {
  if (event === null) pointed = null;
  else {
    const box = svg.getBoundingClientRect();
    const length = shownLength();
    pointed = Math.min(Math.max(Math.round((1 - (event.clientX - box.left) / box.width) * length), 0), length - 1);
  }
  draw();
}

function draw() {
  for (const one of drawn) drawOne(one);
}

function drawOne({ chart, tile, value, also, top, left, svg }) {
  const length = shownLength();
  const minutes = Math.round(length * history.step_seconds / 60);
  const width = Math.max(svg.clientWidth, 1);
  const height = Math.max(svg.clientHeight, 1);
  const all = chart.lines.map((name) => history.series[name] || []);
  const known = all.flat().filter((each) => each !== null);
  const highest = known.length ? Math.max(...known) : 0;
  const full = Math.max(highest, chart.least);
  const at = (values, back) => values[values.length - 1 - back] ?? null;
  const current = all.map((values) => at(values, pointed ?? 0));
  setText(value, current[0] === null ? "–" : chart.show(current[0]));
  value.classList.toggle("zero", !current[0]);
  setText(also, chart.also ? `${chart.also} ${current[1] === null || current[1] === undefined ? "–" : chart.show(current[1])}` : "");
  setText(top, highest > 0 ? `max ${chart.show(highest)}` : "");
  setText(left, pointed === null ? `${minutes} min ago` : `${agoText(pointed * history.step_seconds)} ago`);
  left.classList.toggle("pointed", pointed !== null);
  tile.classList.toggle("bad", Boolean(chart.bad) && known.some((each) => each > 0));
  tile.classList.toggle("quiet", highest === 0);
  const words = current[0] === null ? "not known now" : `now ${chart.show(current[0])}`;
  svg.setAttribute("aria-label", `${chart.name}${chart.unit ? ` in ${chart.unit}` : ""}: ${words}, highest in ${minutes} minutes ${chart.show(highest)}`);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const shapes = all.flatMap((values, place) => lineOf(values, length, [width, height], full, place === 0)).reverse();
  if (pointed !== null) shapes.push(shape("path", "pointer", `M${width * (1 - pointed / length)} 0V${height}`));
  svg.replaceChildren(shape("path", "ground", `M0 ${height - 0.5}H${width}`), ...shapes);
}

function lineOf(values, length, [width, height], highest, first) {
  const each = Math.max(Math.ceil(length / POINTS), 1);
  const points = [];
  for (let start = length - values.length - (length - values.length) % each; start < length; start += each) {
    let peak = null;
    for (let place = start; place < start + each; place += 1) {
      const value = values[place - (length - values.length)];
      if (value !== null && value !== undefined && (peak === null || value > peak)) peak = value;
    }
    points.push(peak === null ? null : [width * Math.min((start + each) / length, 1), height - 1.5 - (highest ? peak / highest : 0) * (height - 8)]);
  }
  const runs = [];
  for (const found of points) {
    if (found === null) runs.push([]);
    else (runs.length ? runs : (runs.push([]), runs))[runs.length - 1].push(found);
  }
  const shapes = [];
  for (const run of runs.filter((one) => one.length)) {
    if (run.length === 1) run.unshift([Math.max(run[0][0] - width * each / length, 0), run[0][1]]);
    const path = run.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");
    shapes.push(shape("path", first ? "line" : "line second", path));
    if (first) shapes.push(shape("path", "area", `${path}V${height}H${run[0][0].toFixed(1)}Z`));
  }
  return shapes;
}

function shape(kind, className, path) {
  const made = document.createElementNS(SVG, kind);
  made.setAttribute("class", className);
  made.setAttribute("d", path);
  return made;
}
