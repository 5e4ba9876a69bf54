// What happens over time: millimetres of all frames, and the frames kept around the playhead.

const LEFT = 46, RIGHT = 10, AXIS = 18; // px around the charts
const ROW = { label: 17, height: 14, gap: 5 }; // px, of a stage
const AROUND = 1.5; // windows shown on either side of the current one's middle, of longer clips
const WHOLE = 400; // frames that rows have room for

function steps(span, most) {
  const rough = span / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= rough);
}

function label(pen, text, x, y, colour, align = "center") {
  pen.fillStyle = colour;
  pen.font = "12px system-ui, sans-serif";
  pen.textAlign = align;
  pen.fillText(text, x, y);
}

function round(value, step) {
  return value.toFixed(Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
}

function timeAxis(pen, x, from, to, width, y, colours) {
  const step = steps(to - from, width / 60);
  label(pen, "s", LEFT - 12, y, colours.soft, "right");
  for (let n = Math.ceil(from / step - 1e-9); n * step <= to + 1e-9; n++)
    label(pen, round(n * step, step), x(n * step), y, colours.soft);
}

function playhead(pen, at, top, bottom, colours) {
  pen.fillStyle = colours.head;
  pen.fillRect(at - 0.75, top, 1.5, bottom - top);
}

// From and to (s from the first frame) of the part that the rows show.
function part(frame) {
  const end = seconds(last);
  const kept = tracks.map((track) => track.kept).filter(Boolean);
  const longest = Math.max(0, ...kept.map((each) => each.frames / each.rate));
  if (!kept.length || end <= Math.max(2 * AROUND * longest, WHOLE / scene.rate)) return [0, end];
  const { first, window, rate, frames } = kept[0];
  const middle = (first[window[frame]] + frames / 2) / rate;
  const from = Math.min(Math.max(middle - AROUND * longest, 0), end - 2 * AROUND * longest);
  return [from, from + 2 * AROUND * longest];
}

// A scale between seconds and px, of a frame's whole width at either end.
function scale(from, to, width) {
  const half = 0.5 / scene.rate;
  const grow = (width - LEFT - RIGHT) / (to - from + 2 * half);
  const x = (t) => LEFT + (t - from + half) * grow;
  x.back = (px) => from - half + (px - LEFT) / grow;
  x.frame = grow / scene.rate;
  return x;
}

const highest = curves.reduce((most, curve) => curve.values.reduce((a, b) => (b > a ? b : a), most), 1);

function drawCurves(pen, width, height, frame, colours) {
  const x = scale(0, seconds(last), width);
  const bottom = height - AXIS;
  const step = steps(highest, 5);
  const y = (value) => bottom - (value / highest) * (bottom - 12);
  const [from, to] = part(frame);
  if (tracks.some((track) => track.kept) && to - from < seconds(last)) {
    pen.fillStyle = colours.band;
    pen.fillRect(x(from), 4, x(to) - x(from), bottom - 4);
  }
  for (let value = 0; value <= highest; value += step) {
    pen.fillStyle = colours.line;
    pen.fillRect(LEFT, y(value), width - LEFT - RIGHT, 1);
    label(pen, round(value, step), LEFT - 6, y(value) + 4, colours.soft, "right");
  }
  timeAxis(pen, x, 0, seconds(last), width, height - 4, colours);
  for (const curve of curves) drawLine(pen, curve, x, y, colours);
  playhead(pen, x(seconds(frame)), 4, bottom, colours);
}

// Where frames are narrower than a px, each px shows the least and the most of its `wide` frames.
// It is the same in every picture, so it is kept.
function ends(curve, wide) {
  if (curve.wide === wide) return curve.ends;
  curve.wide = wide;
  curve.ends = [];
  for (let start = 0; start <= last; start += wide) {
    const known = curve.values.subarray(start, start + wide).filter((value) => !Number.isNaN(value));
    const whole = wide === 1 || !known.length;
    curve.ends.push(whole ? [...known] : [Math.min(...known), Math.max(...known)]);
  }
  return curve.ends;
}

function drawLine(pen, curve, x, y, colours) {
  const shade = colours[`curve${curve.of ?? 0}`];
  pen.strokeStyle = shade;
  pen.lineWidth = 1.5;
  pen.lineJoin = "round";
  pen.setLineDash(curve.of === 1 ? [5, 2] : []);
  pen.beginPath();
  const wide = Math.max(1, Math.floor(1 / x.frame));
  let begun = false;
  ends(curve, wide).forEach((values, number) => {
    for (const value of values) {
      pen[begun ? "lineTo" : "moveTo"](x(seconds(number * wide)), y(value));
      begun = true;
    }
    begun = values.length > 0;
  });
  pen.stroke();
  pen.setLineDash([]);
  if (last > 0) return;
  pen.fillStyle = shade;
  pen.beginPath();
  pen.arc(x(0), y(curve.values[0]), 4, 0, 2 * Math.PI);
  pen.fill();
}

const rows = tracks.flatMap((track, number) =>
  track.kept ? Array.from({ length: track.kept.stages }, (_, stage) => ({ track, number, stage })) : [],
);

function rowsHeight() {
  return rows.length * (ROW.label + ROW.height + ROW.gap) + AXIS + 4;
}

function drawRows(pen, width, height, frame, colours) {
  const [from, to] = part(frame);
  const x = scale(from, to, width);
  rows.forEach(({ track, number, stage }, index) => {
    const y = index * (ROW.label + ROW.height + ROW.gap) + ROW.label;
    const w = track.kept.window[frame];
    let count = 0;
    for (let place = 0; place < track.kept.frames; place++) count += track.kept.keeps(stage, w, place);
    const of = tracks.filter((each) => each.kept).length > 1 ? `${track.label}, ` : "";
    const told = `${of}stage ${stage + 1}: ${count} of ${track.kept.frames} frames of window ${w}`;
    label(pen, told, LEFT, y - 4, colours.soft, "left");
    drawStage(pen, track.kept, stage, w, x, y, width, colours);
    playhead(pen, x(seconds(frame)), y, y + ROW.height, colours);
  });
  timeAxis(pen, x, from, to, width, height - 4, colours);
}

// The current window strongly; the others faintly, unless they lie over each other.
function drawStage(pen, kept, stage, current, x, y, width, colours) {
  const begin = kept.first[current] / kept.rate, wide = Math.max(1.5, 0.7 * x.frame * (scene.rate / kept.rate));
  pen.save();
  pen.beginPath();
  pen.rect(LEFT, y, width - LEFT - RIGHT, ROW.height);
  pen.clip();
  pen.fillStyle = colours.line;
  pen.fillRect(LEFT, y + ROW.height - 1, width, 1);
  pen.fillStyle = colours.band;
  const edge = 0.5 / kept.rate;
  const left = x(begin - edge);
  pen.fillRect(left, y, x(begin + kept.frames / kept.rate - edge) - left, ROW.height);
  for (let w = 0; w < kept.windows; w++) {
    const start = kept.first[w] / kept.rate;
    if (w !== current && !kept.apart) continue;
    if (x(start) > width || x(start + kept.frames / kept.rate) < LEFT) continue;
    pen.fillStyle = w === current ? colours.kept : colours.faint;
    for (let place = 0; place < kept.frames; place++)
      if (kept.keeps(stage, w, place))
        pen.fillRect(x(start + place / kept.rate) - wide / 2, y, wide, ROW.height);
  }
  pen.restore();
}
