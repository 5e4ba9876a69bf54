"use strict";
// What the page was given: arrays come as base64, integers with their unit.

function bytes(text) {
  const found = atob(text);
  const array = new Uint8Array(found.length);
  for (let i = 0; i < found.length; i++) array[i] = found.charCodeAt(i);
  return array;
}

// (mm or px) an accessor of integers in units; what is missing is NaN.
function values(packed) {
  const whole = new Int16Array(bytes(packed.data).buffer);
  return (i) => (whole[i] === -32768 ? NaN : whole[i] * packed.unit);
}

function floats(text) {
  return new Float32Array(bytes(text).buffer);
}

// Which frames the windows kept: window(frame), first(window), keeps(stage, window, place).
function unpackKept(packed) {
  if (!packed) return null;
  const [stages, windows, frames] = packed.shape;
  const held = bytes(packed.stages);
  const window = new Int32Array(bytes(packed.window).buffer);
  const first = floats(packed.first);
  const keeps = (stage, w, place) => {
    const bit = (stage * windows + w) * frames + place;
    return (held[bit >> 3] >> (bit & 7)) & 1;
  };
  return { ...packed, stages, windows, frames, window, first, keeps };
}

const scene = JSON.parse(document.getElementById("data").textContent);
const joints = scene.parents.length;
const tracks = scene.tracks.map((track) => ({
  ...track,
  poses: track.poses && values(track.poses),
  truth: track.truth && values(track.truth),
  kept: unpackKept(track.kept),
}));
const curves = scene.curves.map((curve) => ({ ...curve, values: floats(curve.values) }));
const image = scene.image && {
  ...scene.image,
  points: values(scene.image.points),
  confidence: bytes(scene.image.confidence),
};
const last = scene.frames - 1;
const seconds = (frame) => frame / scene.rate;

// 0: kept to the end; n: dropped at stage n; null: nothing is pruned here.
function dropped(track, frame) {
  const kept = track.kept;
  if (!kept) return null;
  const w = kept.window[frame];
  const place = Math.round(seconds(frame) * kept.rate - kept.first[w]);
  if (place < 0 || place >= kept.frames) return null;
  for (let stage = 0; stage < kept.stages; stage++)
    if (!kept.keeps(stage, w, place)) return stage + 1;
  return 0;
}

function mean(array) {
  let sum = 0, count = 0;
  for (const value of array) if (!Number.isNaN(value)) { sum += value; count++; }
  return count ? sum / count : NaN;
}
