// Run inside a page of weft: what a reader would stumble over, as a list of sentences. screen: its width, which a
// phone's browser would widen to what does not fit. print: nothing can be scrolled there.
((screen, print) => {
  const faults = [], width = Math.min(screen, document.documentElement.clientWidth);
  const say = (what, where) => faults.push(`${what}: ${String(where).replace(/\s+/g, ' ').slice(0, 120)}`);
  const shown = e => e.checkVisibility ? e.checkVisibility() : e.getClientRects().length > 0;

  // Nothing is wider than the page, but for what stands in a box that scrolls and is itself no wider.
  const root = document.scrollingElement;
  if (root.scrollWidth > width) say(`the page is ${root.scrollWidth} wide on a screen of ${width}`, document.title);
  const scrolls = e => !print && /auto|scroll/.test(getComputedStyle(e).overflowX);
  for (const e of document.body.querySelectorAll('*')) {
    if (!shown(e) || e.closest('svg') && e.tagName !== 'svg') continue;
    let outer = e.parentElement;
    while (outer && !scrolls(outer)) outer = outer.parentElement;
    const box = e.getBoundingClientRect();
    if (!outer && (box.right > width + 1 || box.left < -1)) say(`<${e.tagName.toLowerCase()}> leaves the page at ${Math.round(box.right)} of ${width}`, e.textContent);
    if (scrolls(e) && e.scrollWidth > e.clientWidth && e.tabIndex < 0) say('what scrolls cannot be reached by keyboard', e.textContent);
    if (!scrolls(e) && e.tagName !== 'svg' && e.scrollWidth > e.clientWidth + 1 && getComputedStyle(e).display === 'table-cell') say('text runs out of its cell', e.textContent);
  }

  // Scroll bars and the like are dark where the page is.
  if (!/dark/.test(getComputedStyle(document.documentElement).colorScheme) && !print) say('the page has no dark scroll bars', document.title);

  // Headings have something below them that says what follows.
  for (const h of document.querySelectorAll('section > h2')) {
    const next = h.nextElementSibling;
    if (!next || next.tagName !== 'P') say('a section begins without a sentence', h.textContent);
  }
  for (const t of document.querySelectorAll('table')) {
    if (!t.rows.length || t.rows[0].cells.length === 0) say('a table without a head', t.textContent);
    for (const row of t.rows) if (row.cells.length !== t.rows[0].cells.length) say(`a row of ${row.cells.length} cells in a table of ${t.rows[0].cells.length}`, row.textContent);
  }
  for (const a of document.querySelectorAll('a[href^="#"]')) if (!document.getElementById(a.getAttribute('href').slice(1))) say('a link to nowhere', a.textContent);
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) say('an id twice', id);
  if (/\b(nan|undefined|inf|infinity|null)\b/i.test([...document.querySelectorAll('td')].map(e => e.textContent).join(' '))) say('a cell is no number', document.title);

  // Figures.
  const wrong = /\b(nan|undefined|null|-?inf(inity)?)\b/i;
  for (const svg of document.querySelectorAll('svg')) {
    const title = svg.querySelector(':scope > title'), name = title ? title.textContent : svg.outerHTML;
    const box = svg.getBoundingClientRect(), drawn = svg.querySelectorAll('rect,circle,line,polyline,path');
    if (!title || !title.textContent.trim()) say('a figure without a title', svg.outerHTML);
    if (svg.getAttribute('role') !== 'img' || !svg.getAttribute('aria-label')) say('a figure without a text alternative', name);
    const caption = svg.closest('figure') && svg.closest('figure').querySelector('figcaption');
    if (!caption || !caption.textContent.trim()) say('a figure without a caption', name);
    if (!print && box.width > width && !svg.closest('figure.wide')) say(`a chart is ${Math.round(box.width)} wide on a page of ${width}`, name);
    if (!(box.width > 40 && box.height > 20)) say(`a figure of ${box.width} x ${box.height}`, name);
    if (![...drawn].some(e => { const b = e.getBBox(); return b.width > 0 || b.height > 0; })) say('nothing is drawn', name);
    for (const e of svg.querySelectorAll('*')) {
      for (const a of e.attributes) if (wrong.test(a.value) && !['aria-label'].includes(a.name)) say(`${e.tagName} ${a.name}="${a.value}"`, name);
      if (e.tagName === 'text' && wrong.test(e.textContent)) say('a label is no number', e.textContent + ' in ' + name);
    }
    const view = svg.viewBox.baseVal, labels = [...svg.querySelectorAll('text')].filter(t => t.textContent.trim());
    const boxes = labels.map(t => t.getBBox());
    boxes.forEach((b, i) => {
      if (b.x < view.x - 0.5 || b.y < view.y - 0.5 || b.x + b.width > view.x + view.width + 0.5 || b.y + b.height > view.y + view.height + 0.5)
        say(`"${labels[i].textContent}" runs over the border of its figure`, name);
      for (let k = 0; k < i; k++) {
        const o = boxes[k], across = Math.min(b.x + b.width, o.x + o.width) - Math.max(b.x, o.x), down = Math.min(b.y + b.height, o.y + o.height) - Math.max(b.y, o.y);
        if (across > 1 && down > 4) say(`"${labels[i].textContent}" lies on "${labels[k].textContent}"`, name);
      }
    });
    const size = box.width / view.width * parseFloat(getComputedStyle(labels[0] || svg).fontSize);
    if (labels.length && size < (print ? 6 : 9)) say(`letters of ${size.toFixed(1)} pixels`, name);
  }

  // Contrast of every text with what is painted below it (WCAG 2: 4.5 to 1).
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  canvas.canvas.width = canvas.canvas.height = 1;
  const paint = layers => { // [colour, opacity] from the bottom up
    canvas.globalAlpha = 1, canvas.fillStyle = '#fff', canvas.fillRect(0, 0, 1, 1);
    for (const [colour, alpha] of layers) canvas.globalAlpha = alpha, canvas.fillStyle = colour, canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = c => c.map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4).reduce((s, v, i) => s + v * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a, b) => { const [x, y] = [light(a), light(b)]; return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05); };
  const below = e => { const list = []; for (; e; e = e.parentElement) list.unshift([getComputedStyle(e).backgroundColor, 1]); return list; };
  const judged = new Map();
  const judge = (layers, colour, where) => {
    const key = JSON.stringify([layers, colour]);
    if (!judged.has(key)) judged.set(key, contrast(paint(layers), paint([...layers, [colour, 1]])));
    if (judged.get(key) < 4.5) say(`contrast of ${judged.get(key).toFixed(2)}`, where);
  };
  for (const e of document.body.querySelectorAll('*')) {
    if (e.tagName === 'svg' || e.closest('svg') || !shown(e) || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
    judge(below(e), getComputedStyle(e).color, e.textContent);
  }
  for (const svg of document.querySelectorAll('svg')) {
    const base = below(svg.parentElement), fills = [...svg.querySelectorAll('rect')];
    for (const t of svg.querySelectorAll('text')) {
      const b = t.getBBox(), x = b.x + b.width / 2, y = b.y + b.height / 2;
      const under = fills.filter(r => { const o = r.getBBox(); return x > o.x && x < o.x + o.width && y > o.y && y < o.y + o.height; })
        .map(r => { const s = getComputedStyle(r); return [s.fill, +s.fillOpacity]; }).filter(f => f[0] !== 'none');
      judge([...base, ...under], getComputedStyle(t).fill, t.textContent + ' in ' + svg.getAttribute('aria-label'));
    }
  }
  return [...new Set(faults)];
})
