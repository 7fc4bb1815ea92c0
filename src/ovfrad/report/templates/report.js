"use strict";
// Sortable tables, the ROC reader, the slice viewer, figures to enlarge, folded parts that open for printing.
// Nothing is loaded.
(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (parent) parent.appendChild(element);
    return element;
  };
  const dataOf = (root) => JSON.parse(root.querySelector("script[type='application/json']").textContent);
  const share = (value) => (Number.isFinite(value) ? value.toFixed(2) : "–");

  // Tables: a click on a heading sorts by its first number, else by name; a second click turns the order.
  const keyOf = (text) => {
    const cleaned = text.trim().replace(/−/g, "-").replace(/,(?=\d{3}\b)/g, "");
    const found = cleaned.match(/^[<>]?\s*(-?\d*\.?\d+)/);
    return found ? parseFloat(found[1]) : null;
  };
  const compare = (a, b) => {
    const [x, y] = [keyOf(a), keyOf(b)];
    if (x !== null && y !== null) return x - y;
    if (x === null && y === null) return a.localeCompare(b, "en", { numeric: true });
    return x === null ? 1 : -1;
  };
  const sortBy = (table, column, heading) => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = [...table.tBodies[0].rows];
    const text = (row) => row.cells[column].textContent;
    rows.sort((a, b) => (down ? -1 : 1) * compare(text(a), text(b)));
    table.tBodies[0].append(...rows);
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.querySelectorAll("thead th")].forEach((heading, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.title = "Sort by this column";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sortBy(table, column, heading));
      heading.append(button);
    });
  }

  // ROC reader: one cohort and class at a time; the point under the mouse or the slider is told in words.
  const rocReader = (root) => {
    const curves = dataOf(root);
    const [cohort, kind] = root.querySelectorAll("select");
    const slider = root.querySelector("input");
    const told = root.querySelector("output");
    const svg = root.querySelector("svg");
    const [left, top, side] = [46, 10, 270];
    const at = (curve, j) => [curve.points[j][2] / curve.others, curve.points[j][1] / curve.cases];
    const place = ([x, y]) => [left + side * x, top + side * (1 - y)];
    let curve = curves[0];
    for (const name of new Set(curves.map((one) => one.cohort))) cohort.add(new Option(name, name));
    const kinds = () => {
      const kept = kind.value;
      kind.replaceChildren();
      for (const one of curves.filter((c) => c.cohort === cohort.value)) kind.add(new Option(one.class, one.class));
      if ([...kind.options].some((option) => option.value === kept)) kind.value = kept;
    };
    const label = (words, x, y, more) => {
      make("text", { x, y, class: "tick", "text-anchor": "middle", ...more }, svg).textContent = words;
    };
    const axes = () => {
      make("rect", { x: left, y: top, width: side, height: side, class: "frame" }, svg);
      for (const t of [0, 0.25, 0.5, 0.75, 1]) {
        const [x, y] = place([t, t]);
        make("line", { x1: x, x2: x, y1: top, y2: top + side, class: "grid" }, svg);
        make("line", { x1: left, x2: left + side, y1: y, y2: y, class: "grid" }, svg);
        label(String(t), x, top + side + 15);
        label(String(t), left - 8, y + 4, { "text-anchor": "end" });
      }
      label("1 − specificity", left + side / 2, top + side + 32);
      label("Sensitivity", 12, top + side / 2, { transform: `rotate(-90 12 ${top + side / 2})` });
    };
    let dot, ring;
    const draw = () => {
      curve = curves.find((one) => one.cohort === cohort.value && one.class === kind.value);
      svg.replaceChildren();
      axes();
      const path = [[0, 0], ...curve.points.map((_, j) => at(curve, j))].map((p) => place(p).join(","));
      make("polyline", { points: path.join(" "), fill: "none", stroke: curve.colour, "stroke-width": 2 }, svg);
      ring = make("circle", { r: 7, fill: "none", stroke: "currentColor", "stroke-dasharray": "2 2" }, svg);
      dot = make("circle", { r: 5, fill: curve.colour, stroke: "currentColor" }, svg);
      slider.max = curve.points.length - 1;
      const fixed = nearest(curve.fixed);
      if (fixed === null) ring.remove();
      else [ring.cx, ring.cy].forEach((axis, i) => (axis.baseVal.value = place(at(curve, fixed))[i]));
      slider.value = fixed === null ? Math.floor(curve.points.length / 2) : fixed;
      show();
    };
    const nearest = (threshold) => {
      if (threshold === null) return null;
      let found = null;
      curve.points.forEach((point, j) => { if (point[0] >= threshold) found = j; });
      return found;
    };
    const show = () => {
      const [threshold, hits, wrong] = curve.points[Number(slider.value)];
      [dot.cx, dot.cy].forEach((axis, i) => (axis.baseVal.value = place(at(curve, Number(slider.value)))[i]));
      const right = curve.others - wrong;
      const rows = [
        ["Threshold", threshold.toFixed(3)],
        ["Found", `${hits} of ${curve.cases} (sensitivity ${share(hits / curve.cases)})`],
        ["Wrongly named", `${wrong} of ${curve.others} (specificity ${share(right / curve.others)})`],
        ["PPV", `${share(hits / (hits + wrong))} (${hits} of ${hits + wrong} named)`],
        ["NPV", `${share(right / (right + curve.cases - hits))} (${right} of ${right + curve.cases - hits} not named)`],
      ];
      if (curve.fixed !== null) rows.push(["Fixed on training", `${curve.fixed.toFixed(3)} (dashed ring)`]);
      told.replaceChildren(...rows.map(([name, value]) => {
        const line = document.createElement("span");
        const strong = document.createElement("strong");
        strong.textContent = `${name}: `;
        line.append(strong, value);
        return line;
      }));
    };
    const point = (event) => {
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const x = ((event.clientX - box.left) * scale - left) / side;
      const y = 1 - ((event.clientY - box.top) * scale - top) / side;
      let best = 0, least = Infinity;
      curve.points.forEach((_, j) => {
        const [u, v] = at(curve, j);
        const gap = (u - x) ** 2 + (v - y) ** 2;
        if (gap < least) [best, least] = [j, gap];
      });
      slider.value = best;
      show();
    };
    svg.addEventListener("pointermove", point);
    svg.addEventListener("pointerdown", point);
    slider.addEventListener("input", show);
    cohort.addEventListener("change", () => { kinds(); draw(); });
    kind.addEventListener("change", draw);
    kinds();
    kind.value = kind.options[kind.options.length - 1].value;
    draw();
    root.hidden = false;
  };

  // Slices: one picture holds all of a case; the viewer shows one at a time.
  const sliceViewer = (root) => {
    const stacks = dataOf(root);
    const choice = root.querySelector("select");
    const slider = root.querySelector("input");
    const told = root.querySelector("output");
    const canvas = root.querySelector("canvas");
    const pen = canvas.getContext("2d");
    const picture = new Image();
    let stack = stacks[0];
    stacks.forEach((one, place) => choice.add(new Option(one.label, place)));
    const show = () => {
      const n = Number(slider.value);
      const { width, height, across } = stack;
      const corner = [(n % across) * width, Math.floor(n / across) * height];
      pen.drawImage(picture, ...corner, width, height, 0, 0, canvas.width, canvas.height);
      told.textContent = `slice ${n + 1} of ${stack.count}, ${stack.step_mm.toFixed(1)} mm apart`;
    };
    const open = () => {
      stack = stacks[Number(choice.value)];
      const zoom = Math.max(2, Math.round(340 / Math.max(stack.width, stack.height)));
      [canvas.width, canvas.height] = [stack.width * zoom, stack.height * zoom];
      slider.max = stack.count - 1;
      slider.value = Math.floor(stack.count / 2);
      picture.src = stack.uri;
    };
    picture.addEventListener("load", show);
    slider.addEventListener("input", show);
    choice.addEventListener("change", open);
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      slider.value = Number(slider.value) + Math.sign(event.deltaY);
      show();
    }, { passive: false });
    open();
    root.hidden = false;
  };

  // Figures fit a narrow screen; a tap shows them large, to be moved about.
  document.documentElement.classList.add("scripted");
  for (const image of document.querySelectorAll("figure img")) {
    image.addEventListener("click", () => image.closest("figure").classList.toggle("large"));
  }

  document.querySelectorAll(".roc-reader").forEach(rocReader);
  document.querySelectorAll(".slice-viewer").forEach(sliceViewer);

  // Printing: folded parts are opened and closed again.
  let closed = [];
  addEventListener("beforeprint", () => {
    closed = [...document.querySelectorAll("details:not([open])")];
    closed.forEach((part) => (part.open = true));
  });
  addEventListener("afterprint", () => closed.forEach((part) => (part.open = false)));

  // A link into a folded part opens it.
  const openTarget = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let part = target; part; part = part.parentElement) if (part.tagName === "DETAILS") part.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();
})();
