// The recovered world on a report page: coloured points and the camera's path, turned by dragging. Plain canvas, nothing fetched.
"use strict";
(() => {
  const held = JSON.parse(document.getElementById("world-data").textContent);
  const canvas = document.getElementById("world"), slider = document.getElementById("world-frame"), label = document.getElementById("world-label");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const xyz = new Float32Array(bytes(held.xyz).buffer), rgb = bytes(held.rgb), count = xyz.length / 3;
  const poses = held.poses; // 4 x 4 rows, world from camera; x right, y down, z forward
  const span = held.span, middle = held.middle;
  const wide = canvas.width, high = canvas.height, lens = 0.9 * wide;
  const context = canvas.getContext("2d"), picture = context.createImageData(wide, high), depth = new Float32Array(wide * high);
  const ahead = poses[poses.length >> 1].map((row) => row[2]);
  let yaw = Math.atan2(-ahead[0], ahead[1]) - 0.4, pitch = 0.45, away = 2.2 * span, through = false, due = false; // over the camera's shoulder

  // Rows of the viewer's axes (right, down, forward) and its place.
  function viewer() {
    if (through) {
      const pose = poses[+slider.value];
      return { axes: [0, 1, 2].map((k) => [pose[0][k], pose[1][k], pose[2][k]]), place: pose.map((row) => row[3]), lens: held.lens * wide };
    }
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    const forward = [-sy * cp, cy * cp, -sp], right = [cy, sy, 0];
    const down = [forward[1] * right[2] - forward[2] * right[1], forward[2] * right[0] - forward[0] * right[2], forward[0] * right[1] - forward[1] * right[0]];
    return { axes: [right, down, forward], place: middle.map((value, k) => value - away * forward[k]), lens };
  }

  function project(view, x, y, z) {
    const [dx, dy, dz] = [x - view.place[0], y - view.place[1], z - view.place[2]];
    const [a, b, c] = view.axes.map((axis) => axis[0] * dx + axis[1] * dy + axis[2] * dz);
    return [wide / 2 + view.lens * a / c, high / 2 + view.lens * b / c, c];
  }

  function draw() {
    due = false;
    const view = viewer(), pixels = picture.data, size = through ? 3 : 2;
    for (let k = 0; k < pixels.length; k += 4) { pixels[k] = pixels[k + 1] = pixels[k + 2] = 24; pixels[k + 3] = 255; }
    depth.fill(Infinity);
    for (let k = 0; k < count; k++) {
      const [u, v, c] = project(view, xyz[3 * k], xyz[3 * k + 1], xyz[3 * k + 2]);
      if (!(c > 0.01 * span) || u < 0 || v < 0 || u >= wide - size || v >= high - size) continue;
      for (let y = v | 0; y < (v | 0) + size; y++) for (let x = u | 0; x < (u | 0) + size; x++) {
        const at = y * wide + x;
        if (c < depth[at]) { depth[at] = c; pixels[4 * at] = rgb[3 * k]; pixels[4 * at + 1] = rgb[3 * k + 1]; pixels[4 * at + 2] = rgb[3 * k + 2]; }
      }
    }
    context.putImageData(picture, 0, 0);
    if (!through) path(view);
    label.textContent = "frame " + held.frames[+slider.value];
  }

  function line(view, points, colour, width) {
    context.strokeStyle = colour; context.lineWidth = width; context.beginPath();
    let open = false;
    for (const point of points) {
      const [u, v, c] = project(view, ...point);
      if (c <= 0.01 * span) { open = false; continue; }
      if (open) context.lineTo(u, v); else context.moveTo(u, v);
      open = true;
    }
    context.stroke();
  }

  function path(view) {
    line(view, poses.map((pose) => pose.map((row) => row[3])), "#ffb000", 2);
    const pose = poses[+slider.value], reach = 0.12 * span, half = reach / (2 * held.lens), tall = half * held.aspect;
    const at = (x, y, z) => pose.map((row) => row[0] * x + row[1] * y + row[2] * z + row[3]);
    const corners = [[-half, -tall], [half, -tall], [half, tall], [-half, tall]].map(([x, y]) => at(x, y, reach));
    line(view, [...corners, corners[0]], "#ffffff", 1.5);
    for (const corner of corners) line(view, [at(0, 0, 0), corner], "#ffffff", 1.5);
  }

  function later() { if (!due) { due = true; requestAnimationFrame(draw); } }
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (!event.buttons || through) return;
    yaw -= 0.006 * event.movementX;
    pitch = Math.min(1.5, Math.max(-1.5, pitch + 0.006 * event.movementY));
    later();
  });
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); away *= Math.exp(0.001 * event.deltaY); later(); }, { passive: false });
  slider.max = poses.length - 1;
  slider.addEventListener("input", later);
  document.getElementById("world-through").addEventListener("change", (event) => { through = event.target.checked; later(); });
  draw();
})();
