'use strict';
// Of the page `report.html`: buttons that copy texts, and a molecule that the pointer turns.
(() => {
  const byId = (id) => document.getElementById(id);

  const copied = (button) => {
    const label = button.textContent;
    button.textContent = 'Copied';
    setTimeout(() => { button.textContent = label; }, 1500);
  };
  const copyBySelection = (element) => {
    const folded = element.closest('details');
    if (folded) folded.open = true;
    getSelection().selectAllChildren(element);
    return document.execCommand('copy');
  };
  for (const button of document.querySelectorAll('button[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      const element = byId(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(element.textContent);
        copied(button);
      } catch {
        if (copyBySelection(element)) copied(button);
      }
    });
  }

  const svg = byId('view');
  if (!svg) return;
  const width = 420, height = 300, margin = 20, largestScale = 45;
  let atoms = [], bonds = [], turn = [], scale = 1;

  const load = (source) => {
    const lines = source.textContent.trim().split('\n').slice(2);
    atoms = lines.map((line) => {
      const [symbol, ...at] = line.trim().split(/\s+/);
      return { symbol, at: at.map(Number) };
    });
    const mean = (n) => atoms.reduce((sum, atom) => sum + atom.at[n], 0) / atoms.length;
    const centre = [mean(0), mean(1), mean(2)];
    for (const atom of atoms) atom.at = atom.at.map((x, n) => x - centre[n]);
    bonds = source.dataset.bonds.split(' ').filter(Boolean).map((pair) => pair.split('-').map(Number));
    const numbers = source.dataset.turn.split(' ').map(Number);
    turn = [numbers.slice(0, 3), numbers.slice(3, 6), numbers.slice(6, 9)];
    const radius = Math.max(0.5, ...atoms.map((atom) => Math.hypot(...atom.at)));
    scale = Math.min((height / 2 - margin) / radius, largestScale);
  };

  const element = (name, attributes, text) => {
    const made = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text) made.textContent = text;
    return made;
  };
  const draw = () => {
    const places = atoms.map(({ at }) => turn.map((row) => scale * (row[0] * at[0] + row[1] * at[1] + row[2] * at[2])));
    const pixel = (n) => [width / 2 + places[n][0], height / 2 - places[n][1]];
    const shapes = bonds.map(([from, to]) => {
      const d = `M${pixel(from).join(' ')}L${pixel(to).join(' ')}`;
      const stick = element('path', { class: 'stick', 'stroke-width': 0.16 * scale, d });
      return { depth: (places[from][2] + places[to][2]) / 2, drawn: [stick] };
    });
    atoms.forEach(({ symbol }, n) => {
      const [x, y] = pixel(n);
      const r = scale * (symbol === 'H' ? 0.24 : 0.36);
      const drawn = [element('circle', { class: `atom ${symbol}`, cx: x, cy: y, r })];
      if (symbol !== 'H' && symbol !== 'C') {
        const letter = { class: 'symbol', x, y: y + 0.35 * r, 'font-size': r, 'text-anchor': 'middle' };
        drawn.push(element('text', letter, symbol));
      }
      shapes.push({ depth: places[n][2], drawn });
    });
    shapes.sort((a, b) => a.depth - b.depth);
    svg.querySelector('g').replaceChildren(...shapes.flatMap((shape) => shape.drawn));
  };

  const rotate = (across, down) => {
    const about = (angle, [i, j]) => {
      const [a, b] = [turn[i], turn[j]];
      const [c, s] = [Math.cos(angle), Math.sin(angle)];
      turn[i] = a.map((x, n) => c * x + s * b[n]);
      turn[j] = b.map((x, n) => c * x - s * a[n]);
    };
    about(across, [0, 2]);
    about(down, [2, 1]);
    draw();
  };
  svg.addEventListener('pointerdown', (event) => svg.setPointerCapture(event.pointerId));
  svg.addEventListener('pointermove', (event) => {
    if (svg.hasPointerCapture(event.pointerId)) rotate(event.movementX / 100, event.movementY / 100);
  });
  const keys = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
  svg.addEventListener('keydown', (event) => {
    if (!(event.key in keys)) return;
    event.preventDefault();
    rotate(...keys[event.key]);
  });
  svg.setAttribute('tabindex', '0');

  const sources = [...document.querySelectorAll('.xyz')];
  load(sources[0]);
  for (const button of document.querySelectorAll('button[data-view]')) {
    button.hidden = false;
    button.addEventListener('click', () => {
      load(byId(button.dataset.view));
      svg.querySelector('title').textContent = button.dataset.title;
      byId('viewed').textContent = button.dataset.title;
      draw();
      svg.scrollIntoView({ block: 'nearest' });
    });
  }
  byId('turn-hint').hidden = false;
})();
