// Skeletons that turn. Drawn axes: x right, y up, z towards whoever looks; mm.

const DISTANCE = 7000; // mm from the eye, of a mild perspective
const TILE = 250; // mm, of the floor
const TILES = 5; // each way

// How far joints reach from the axis through the root, and how high a figure is, of all frames.
const reach = tracks.reduce(
  (found, track) => {
    for (const poses of [track.poses, track.truth])
      for (let frame = 0; poses && frame <= last; frame++) {
        let low = -Infinity, high = Infinity;
        for (let j = frame * joints; j < (frame + 1) * joints; j++) {
          const [x, y, z] = [poses(3 * j), poses(3 * j + 1), poses(3 * j + 2)];
          if (Number.isNaN(x + y + z)) continue;
          found.wide = Math.max(found.wide, Math.hypot(x, z));
          low = Math.max(low, y);
          high = Math.min(high, y);
        }
        found.tall = Math.max(found.tall, low - high);
      }
    return found;
  },
  { wide: 300, tall: 600 },
);

// Where a point lands on the canvas, and how near it is.
function lens(width, height, turn, tilt) {
  const [sin, cos] = [Math.sin(turn), Math.cos(turn)];
  const [down, flat] = [Math.sin(tilt), Math.cos(tilt)];
  const scale = Math.min(width / (2.3 * reach.wide), height / (1.25 * reach.tall));
  return (x, y, z) => {
    const [a, depth] = [x * cos + z * sin, z * cos - x * sin];
    const b = (y - reach.tall / 2) * flat - depth * down;
    const near = (y - reach.tall / 2) * down + depth * flat;
    const grow = (scale * DISTANCE) / Math.max(DISTANCE - near, 500);
    return [width / 2 + a * grow, height * 0.52 - b * grow, near];
  };
}

function drawFloor(pen, place, colour) {
  pen.strokeStyle = colour;
  pen.lineWidth = 1;
  pen.beginPath();
  for (let i = -TILES; i <= TILES; i++)
    for (const [from, to] of [
      [place(i * TILE, 0, -TILES * TILE), place(i * TILE, 0, TILES * TILE)],
      [place(-TILES * TILE, 0, i * TILE), place(TILES * TILE, 0, i * TILE)],
    ]) {
      pen.moveTo(from[0], from[1]);
      pen.lineTo(to[0], to[1]);
    }
  pen.stroke();
}

// The lowest joint of a pose and of its truth stands on the floor: both hang from the same hip, so
// that what lies apart is the error.
function floorOf(track, frame) {
  let floor = -Infinity;
  for (const poses of [track.poses, track.truth])
    for (let j = frame * joints; poses && j < (frame + 1) * joints; j++)
      if (poses(3 * j + 1) > floor) floor = poses(3 * j + 1);
  return floor;
}

// Poses are camera axes: y down, z away.
function upright(poses, frame, floor, place) {
  return (j) => {
    const i = 3 * (frame * joints + j);
    return place(poses(i), floor - poses(i + 1), -poses(i + 2));
  };
}

function side(joint) {
  if (scene.left.includes(joint)) return "left";
  return scene.right.includes(joint) ? "right" : "middle";
}

// at(joint): x, y on the canvas and nearness; far bones first.
function drawBones(pen, at, colours, thick, hollow, paper) {
  const points = scene.parents.map((_, joint) => at(joint));
  const bones = scene.parents
    .map((parent, joint) => [parent, joint])
    .filter(([parent, joint]) => parent >= 0 && !Number.isNaN(points[parent][0] + points[joint][0]))
    .sort(([a, b], [c, d]) => points[a][2] + points[b][2] - points[c][2] - points[d][2]);
  pen.lineCap = "round";
  for (const [parent, joint] of bones) {
    pen.strokeStyle = colours[side(joint)];
    pen.lineWidth = thick;
    pen.beginPath();
    pen.moveTo(points[parent][0], points[parent][1]);
    pen.lineTo(points[joint][0], points[joint][1]);
    pen.stroke();
    pen.fillStyle = hollow ? paper : colours[side(joint)];
    pen.lineWidth = thick / 3;
    pen.beginPath();
    pen.arc(points[joint][0], points[joint][1], thick * 0.8, 0, 2 * Math.PI);
    pen.fill();
    if (hollow) pen.stroke();
  }
}

function drawFigure(pen, width, height, track, frame, view, colours) {
  const place = lens(width, height, view.turn, view.tilt);
  const thick = Math.max(2.5, Math.min(width, height) / 75);
  drawFloor(pen, place, colours.line);
  const floor = floorOf(track, frame);
  if (track.truth) {
    const pale = { left: colours.truth, right: colours.truth, middle: colours.truth };
    drawBones(pen, upright(track.truth, frame, floor, place), pale, thick * 1.1, false, colours.panel);
  }
  const lost = dropped(track, frame) > 0;
  drawBones(pen, upright(track.poses, frame, floor, place), colours, thick, lost, colours.panel);
}
