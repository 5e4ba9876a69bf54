// The player: what is shown, what moves it, and what is said in words.

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];
const wrapped = (angle) => Math.atan2(Math.sin(angle), Math.cos(angle)); // half a turn either way
const state = { at: 0, playing: false, speed: 1, turn: wrapped((scene.turn * Math.PI) / 180), tilt: 0.16, then: 0 };
const by = (id) => document.getElementById(id);
const frameOf = () => Math.min(last, Math.floor(state.at));
const canvases = [];
let colours = {};

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const names = { curve0: "curve-0", curve1: "curve-1" };
  for (const name of ["ink", "soft", "panel", "line", "left", "right", "middle", "truth", "kept",
    "faint", "band", "head", "curve0", "curve1"])
    colours[name] = style.getPropertyValue(`--${names[name] || name}`).trim();
}

function element(kind, text, more = {}) {
  const made = Object.assign(document.createElement(kind), more);
  if (text !== undefined) made.textContent = text;
  return made;
}

// A drawing with its caption; `draw(pen, width, height, frame)` in CSS px.
function drawing(parent, caption, said, draw, height) {
  const figure = element("figure");
  const canvas = element("canvas", undefined, { role: "img", ariaLabel: said });
  if (height) canvas.style.height = `${height}px`;
  figure.append(element("figcaption", caption), canvas);
  parent.append(figure);
  canvases.push({ canvas, draw });
  return canvas;
}

function redraw() {
  const dense = window.devicePixelRatio || 1;
  for (const { canvas, draw } of canvases) {
    const { width, height } = canvas.getBoundingClientRect();
    const size = [Math.round(width * dense), Math.round(height * dense)];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const pen = canvas.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    draw(pen, width, height, frameOf());
  }
}

function say() {
  const frame = frameOf();
  const number = scene.first + frame;
  const told = `frame ${number}, ${seconds(frame).toFixed(2)} of ${seconds(last).toFixed(2)} s`;
  by("frame").value = frame;
  by("frame").setAttribute("aria-valuetext", told);
  by("clock").value = told;
  by("turn").value = Math.round((state.turn * 180) / Math.PI);
  by("play").textContent = state.playing ? "Pause" : "Play";
  by("play").setAttribute("aria-pressed", state.playing);
  for (const cell of by("numbers").querySelectorAll("td")) if (cell.say) cell.textContent = cell.say(frame);
}

function show() {
  say();
  redraw();
}

function seek(frame) {
  state.at = Math.min(last, Math.max(0, frame));
  show();
}

function play(on) {
  state.playing = on && last > 0;
  state.then = performance.now();
  if (state.playing) requestAnimationFrame(tick);
  show();
}

function tick(now) {
  if (!state.playing) return;
  const moved = state.at + (Math.max(0, now - state.then) / 1000) * scene.rate * state.speed;
  const before = frameOf();
  state.then = now;
  state.at = moved % scene.frames;
  if (frameOf() !== before) show();
  requestAnimationFrame(tick);
}

function faster(by_) {
  const place = SPEEDS.indexOf(state.speed) + by_;
  state.speed = SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, place))];
  by("speed").value = state.speed;
}

function turnTo(turn, tilt = state.tilt) {
  state.turn = wrapped(turn);
  state.tilt = Math.min(1.5, Math.max(-0.5, tilt));
  show();
}

// move(event, across, down): px since the last time, 0 where it begins.
function dragged(canvas, move) {
  let before;
  const moved = (event) => {
    const { clientX, clientY } = event;
    const [across, down] = [clientX - before[0], clientY - before[1]];
    before = [clientX, clientY];
    move(event, across, down);
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    before = [event.clientX, event.clientY];
    moved(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) moved(event);
  });
}

function addFigures() {
  for (const track of tracks.filter((each) => each.poses)) {
    const draw = (pen, width, height, frame) =>
      drawFigure(pen, width, height, track, frame, state, colours);
    const said = `3D skeleton, ${track.label}; arrow keys turn it`;
    const canvas = drawing(by("stage"), track.label, said, draw);
    canvas.tabIndex = 0;
    dragged(canvas, (_, across, down) => turnTo(state.turn + across / 120, state.tilt + down / 200));
    canvas.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!way) return;
      event.preventDefault();
      event.stopPropagation();
      turnTo(state.turn + way[0] * 0.1, state.tilt + way[1] * 0.1);
    });
  }
  if (image) {
    const size = image.size ? `, ${image.size[0]} × ${image.size[1]} px` : "";
    const draw = (pen, width, height, frame) => drawImage(pen, width, height, frame, colours);
    drawing(by("stage"), `2D input${size}`, "2D input", draw);
  }
  by("turning").hidden = by("axes").hidden = !tracks.some((track) => track.poses);
}

function addCharts() {
  const jump = (canvas, from) =>
    dragged(canvas, (event) => {
      const { left, width } = canvas.getBoundingClientRect();
      const t = scale(...from(), width).back(event.clientX - left);
      seek(Math.round(t * scene.rate));
    });
  if (curves.length) {
    const named = curves.map((curve) => curve.label).join(", ");
    const draw = (pen, width, height, frame) => drawCurves(pen, width, height, frame, colours);
    const told = `${scene.measure}, mm a frame`;
    jump(drawing(by("charts"), told, `${told}: ${named}`, draw, 150), () => [0, seconds(last)]);
  }
  if (rows.length) {
    const draw = (pen, width, height, frame) => drawRows(pen, width, height, frame, colours);
    const told = "Frames that each pruning stage keeps";
    const canvas = drawing(by("charts"), told, told, draw, rowsHeight());
    let held = [0, 1]; // what is dragged over stays while the rows would move on
    canvas.addEventListener("pointerdown", () => { held = part(frameOf()); }, true);
    jump(canvas, () => held);
  }
}

function addNumbers() {
  const pruned = tracks.some((track) => track.kept);
  if (!curves.length && !pruned) return;
  const heads = [["", "text"], ...(curves.length ? [["this frame (mm)"], ["mean (mm)"]] : []), ...(pruned ? [["this frame is", "text"]] : [])];
  const head = element("tr");
  for (const [text, kind] of heads) head.append(element("th", text, { scope: "col", className: kind || "" }));
  by("numbers").append(element("thead"), element("tbody"));
  by("numbers").firstChild.append(head);
  const named = curves.some((curve) => curve.of === null) ? [...tracks.keys(), null] : [...tracks.keys()];
  for (const of of named) {
    const curve = curves.find((each) => each.of === of);
    const track = tracks[of];
    const line = element("tr");
    line.append(element("th", track ? track.label : curve.label, { scope: "row" }));
    if (curves.length) {
      const now = (frame) => (curve ? inWords(curve.values[frame]) : "");
      line.append(element("td", "", { say: now }), element("td", curve ? inWords(mean(curve.values)) : ""));
    }
    if (pruned) line.append(element("td", "", { className: "text", say: (frame) => fate(track, frame) }));
    by("numbers").lastChild.append(line);
  }
}

function inWords(millimetres) {
  return Number.isNaN(millimetres) ? "not known" : millimetres.toFixed(1);
}

function fate(track, frame) {
  const stage = track ? dropped(track, frame) : null;
  if (stage === null) return "";
  return stage ? `dropped at stage ${stage}` : "kept";
}

function addWords() {
  const entries = [["left side", "left"], ["right side", "right"]];
  if (tracks.some((track) => track.truth)) entries.push(["truth", "truth"]);
  for (const curve of curves)
    if (curves.length > 1) entries.push([`${scene.measure}, ${curve.label}`, `curve-${curve.of ?? 0}`]);
  if (rows.length) entries.push(["kept, this window", "kept"]);
  if (tracks.some((track) => track.kept?.apart)) entries.push(["kept, other windows", "faint"]);
  for (const [text, colour] of entries) {
    const line = element("li", text);
    const swatch = element("i");
    swatch.style.background = `var(--${colour})`;
    line.prepend(swatch);
    by("legend").append(line);
  }
  if (rows.length) by("legend").append(element("li", "hollow joints: a frame that was dropped"));
  if (image) by("legend").append(element("li", "ring: confidence below 0.5"));
  const shared = ([name, value]) =>
    tracks.every((track) => track.facts.some((fact) => fact[0] === name && fact[1] === value));
  const lists = tracks.map((track) => track.facts.filter((fact) => !shared(fact)));
  for (const facts of [...lists, tracks[0].facts.filter(shared)]) {
    const list = element("dl");
    for (const [name, value] of facts) list.append(element("dt", name), element("dd", value));
    if (facts.length) by("facts").append(list);
  }
}

function addControls() {
  by("frame").max = last;
  by("play").disabled = last === 0;
  for (const speed of SPEEDS) by("speed").append(element("option", `${speed}×`, { value: speed }));
  by("speed").value = 1;
  by("play").addEventListener("click", () => play(!state.playing));
  by("frame").addEventListener("input", (event) => seek(Number(event.target.value)));
  by("turn").addEventListener("input", (event) => turnTo((event.target.value * Math.PI) / 180));
  by("speed").addEventListener("change", (event) => { state.speed = Number(event.target.value); });
  document.addEventListener("keydown", pressed);
}

function pressed(event) {
  const kind = event.target.tagName;
  if (event.ctrlKey || event.altKey || event.metaKey || kind === "SELECT") return;
  if (event.key === " " && kind === "BUTTON") return; // which it presses
  const range = kind === "INPUT"; // which has these keys already
  const far = event.shiftKey ? 10 : 1;
  const act = {
    " ": () => play(!state.playing),
    "+": () => faster(1),
    "=": () => faster(1),
    "-": () => faster(-1),
    ...(range ? {} : {
      ArrowLeft: () => seek(frameOf() - far),
      ArrowRight: () => seek(frameOf() + far),
      Home: () => seek(0),
      End: () => seek(last),
    }),
  }[event.key];
  if (!act) return;
  event.preventDefault();
  act();
}

readColours();
addWords();
addFigures();
addCharts();
addNumbers();
addControls();
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  readColours();
  redraw();
});
play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
