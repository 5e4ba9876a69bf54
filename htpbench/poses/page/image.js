// The 2D that was lifted: the part of the images that its joints ever reach.

const MARGIN = 0.06;

const seen = image && (() => {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let i = 0; i < scene.frames * joints; i++) {
    const [x, y] = [image.points(2 * i), image.points(2 * i + 1)];
    if (Number.isNaN(x + y)) continue;
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
})();

function drawImage(pen, width, height, frame, colours) {
  const [across, down] = [seen.right - seen.left, seen.bottom - seen.top];
  const room = 1 - 2 * MARGIN;
  const scale = Math.min((room * width) / (across || 1), (room * height) / (down || 1));
  const x = (px) => width / 2 + (px - (seen.left + seen.right) / 2) * scale;
  const y = (px) => height / 2 + (px - (seen.top + seen.bottom) / 2) * scale;
  if (image.size) {
    pen.strokeStyle = colours.line;
    pen.lineWidth = 1.5;
    pen.strokeRect(x(0), y(0), image.size[0] * scale, image.size[1] * scale);
  }
  const at = (joint) => {
    const i = frame * joints + joint;
    return [x(image.points(2 * i)), y(image.points(2 * i + 1)), 0];
  };
  const thick = Math.max(2, Math.min(width, height) / 110);
  drawBones(pen, at, colours, thick, false, colours.panel);
  for (let joint = 0; joint < joints; joint++) {
    const sure = image.confidence[frame * joints + joint] / 255;
    if (sure >= 0.5) continue; // a ring marks what the detector doubts
    const [a, b] = at(joint);
    pen.strokeStyle = colours.head;
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.arc(a, b, thick * 2.2, 0, 2 * Math.PI);
    pen.stroke();
  }
}
