// The single page: building the DOM, the address bar, asking the server, keys, theme.
// Text from outside reaches the page in one way only: document.createTextNode (through h and s).

const STAGES = ['cue_encoding', 'cue_interpretation', 'goal_clarification', 'response_generation'];
const TITLES = {
  cue_encoding: 'Cue Encoding',
  cue_interpretation: 'Cue Interpretation',
  goal_clarification: 'Goal Clarification',
  response_generation: 'Response Generation',
};
const OUTCOMES = {
  right: ['✓', 'right'],
  wrong: ['✗', 'wrong'],
  unreadable: ['?', 'unreadable'],
  failed: ['!', 'failed'],
};
const SVG = 'http://www.w3.org/2000/svg';
const POLL_MS = 3000;

// -- DOM -------------------------------------------------------------------------------------
function fill(node, props, kids) {
  for (const [name, value] of Object.entries(props || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'style') for (const [key, v] of Object.entries(value)) node.style.setProperty(key, v);
    else if (name === 'value') node.value = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  put(node, kids);
  return node;
}
function put(node, kids) {
  for (const kid of kids.flat(Infinity)) {
    if (kid === null || kid === undefined || kid === false || kid === '') continue;
    node.append(kid instanceof Node ? kid : document.createTextNode(String(kid)));
  }
}
// Others' text runs in its own direction, whatever the language of the page.
const THEIRS = /(^| )(prose|peek|raw|why)( |$)/;
const TYPED = ['textarea', 'input', 'pre'];
function h(tag, props, ...kids) {
  const node = fill(document.createElement(tag), props, kids);
  if (TYPED.includes(tag) || THEIRS.test((props && props.class) || '')) node.setAttribute('dir', 'auto');
  return node;
}
const s = (tag, props, ...kids) => fill(document.createElementNS(SVG, tag), props, kids);

// -- words and numbers -----------------------------------------------------------------------
const fixed = (x, digits = 2) =>
  x === null || x === undefined || !Number.isFinite(x) ? '–' : x.toFixed(digits).replace('-', '−');
const signed = (x, digits = 2) =>
  x === null || x === undefined || !Number.isFinite(x) ? '–' : (x > 0 ? '+' : '') + fixed(x, digits);
const percent = (x, digits = 0) =>
  x === null || x === undefined || !Number.isFinite(x) ? '–' : (100 * x).toFixed(digits) + ' %';
const count = (n) => (n === null || n === undefined ? '–' : Number(n).toLocaleString('en-GB'));
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many || one + 's'}`;
function ago(seconds) {
  if (seconds === null || seconds === undefined) return '–';
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s ago`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min ago`;
  return seconds < 172800 ? `${Math.round(seconds / 3600)} h ago` : `${Math.round(seconds / 86400)} days ago`;
}

// -- shapes: one for each stage, one way of drawing it for each state ------------------------
const SHAPES = {
  cue_encoding: ['M8 2A6 6 0 1 1 8 14A6 6 0 1 1 8 2Z', 'M8 2A6 6 0 0 0 8 14Z'],
  cue_interpretation: ['M8 1.2L14.8 8L8 14.8L1.2 8Z', 'M8 1.2L1.2 8L8 14.8Z'],
  goal_clarification: ['M8 2L14.8 13.8H1.2Z', 'M8 2L1.2 13.8H8Z'],
  response_generation: ['M2.5 2.5H13.5V13.5H2.5Z', 'M2.5 2.5H8V13.5H2.5Z'],
};
function glyph(stage, state = 'present', label = true) {
  const kind = state === 'missing' ? 'dashed' : state === 'empty' || state === 'cut off' ? 'hollow' : '';
  return s(
    'svg',
    {
      class: `glyph ${stage} ${kind}`,
      viewBox: '0 0 16 16',
      role: label ? 'img' : null,
      'aria-hidden': label ? null : 'true',
    },
    label && s('title', {}, `${TITLES[stage]}: ${state}`),
    s('path', { class: 'body', d: SHAPES[stage][0] }),
    state === 'cut off' && s('path', { d: SHAPES[stage][1], fill: 'currentColor' }),
    state === 'out of order' && s('path', { class: 'mark', d: 'M1 15L15 1' }),
    state === 'repeated' && s('path', { class: 'mark', d: 'M13.5 -1V5M10.5 2H16.5' }),
  );
}
const lights = (states) =>
  h(
    'span',
    { class: 'lights' },
    STAGES.map((stage) => glyph(stage, (states || {})[stage] || 'missing')),
  );
const brandmark = () =>
  s(
    'svg',
    { viewBox: '0 0 70 16', 'aria-hidden': 'true' },
    STAGES.map((stage, i) =>
      s('path', { class: stage, d: SHAPES[stage][0], fill: 'currentColor', transform: `translate(${i * 18} 0)` }),
    ),
  );
const outcomeChip = (outcome) =>
  h(
    'span',
    { class: `chip ${OUTCOMES[outcome] ? outcome : ''}` },
    ...(OUTCOMES[outcome] || ['·', outcome || 'no outcome']).join(' '),
  );
const diverge = (x, scale) => {
  const width = Math.min(50, (50 * Math.abs(x || 0)) / (scale || 1));
  return h(
    'span',
    { class: 'diverge', 'aria-hidden': 'true' },
    h('i', {
      style: {
        width: `${width}%`,
        left: x < 0 ? `${50 - width}%` : '50%',
        background: x < 0 ? 'var(--wrong)' : 'var(--right)',
      },
    }),
  );
};

// -- the address bar: every state of the page is in it ---------------------------------------
const KEPT = ['__theme', '__sign'];
// No name in the address may be one that Gradio reads itself: ?page= is its own, and was answered with HTTP 500.
const RANGES = [
  ...['reward', 'advantage', 'tokens', 'process', 'answer'],
  ...['format', 'structure', 'content', 'length', 'outcome_value'],
];
const FILTERS = [
  'q',
  'phase',
  'benchmark',
  'outcome',
  'truncated',
  'flat',
  'dimension',
  'scenario',
  'stage_state',
  'flag',
  'from',
  'to',
  'superseded',
  'in',
  ...RANGES.flatMap((name) => [`${name}_min`, `${name}_max`]),
];
function readState() {
  const state = Object.create(null);
  for (const [key, value] of new URLSearchParams(location.search)) if (!KEPT.includes(key)) state[key] = value;
  return state;
}
function link(changes, base = readState()) {
  const query = new URLSearchParams();
  for (const key of KEPT) {
    const v = new URLSearchParams(location.search).get(key);
    if (v) query.set(key, v);
  }
  for (const [key, value] of Object.entries({ ...base, ...changes })) {
    if (value !== null && value !== undefined && value !== '' && value !== false) query.set(key, String(value));
  }
  return '?' + query.toString();
}
// A link to another screen keeps the run and, where asked, the filter: nothing else leaks from one screen to the next.
function keep(...names) {
  const state = readState();
  const base = {};
  for (const name of ['run', ...names.flat()]) if (state[name]) base[name] = state[name];
  return base;
}
// A facet's value in the address: one, several as a|b (any of them), !a|b (none of them).
const written = (value) => value.replace(/[%|!]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
function chosen(state, key) {
  const text = state[key] || '';
  const read = (one) => {
    try {
      return decodeURIComponent(one);
    } catch {
      return one;
    }
  };
  return { not: text.startsWith('!'), values: text ? text.replace(/^!/, '').split('|').map(read) : [] };
}
const facetText = (values, not) => (values.length ? (not ? '!' : '') + values.map(written).join('|') : null);
const filterOf = (state) => Object.fromEntries(FILTERS.filter((key) => state[key]).map((key) => [key, state[key]]));
function a(changes, props, ...kids) {
  const base = props.base || keep();
  const href = link(changes, base);
  const { base: _, ...rest } = props;
  return h(
    'a',
    {
      ...rest,
      href,
      onclick: (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
        event.preventDefault();
        visit(href);
      },
    },
    kids,
  );
}
// Back returns to the place that was left: where on the page, and in a list to the row (screens.traces).
history.scrollRestoration = 'manual';
function visit(href, { replace = false } = {}) {
  if (replace) history.replaceState(history.state, '', href);
  else {
    history.replaceState({ y: window.scrollY }, '', location.href);
    history.pushState(null, '', href);
  }
  return show();
}
const go = (changes, options) => visit(link(changes), options);

// -- asking the server -----------------------------------------------------------------------
const remembered = new Map();
async function ask(name, args = {}) {
  let data;
  for (;;) {
    const answer = await server[name](args).catch(() => null);
    if (typeof answer !== 'string') {
      const error = new Error('The viewer does not answer. Is it still running?');
      Object.assign(error, { expected: true, gone: true });
      throw error;
    }
    data = JSON.parse(answer);
    if (!data.indexing) break;
    if (!main.querySelector('#s1-indexing'))
      main.replaceChildren(
        empty(
          'Reading the run for the first time',
          h('progress', { id: 's1-indexing', max: 1, 'aria-label': 'Indexed' }),
        ),
      );
    const meter = main.querySelector('#s1-indexing');
    meter.max = Math.max(1, data.indexing.size);
    meter.value = data.indexing.done;
  }
  if (data.error) {
    const error = new Error(data.error);
    error.expected = true;
    throw error;
  }
  return data;
}
// Facts of a finished completion do not change until its run grows, so a neighbour can be fetched before anybody asks.
function askOnce(name, args) {
  const key = name + JSON.stringify(args);
  if (!remembered.has(key)) {
    const promise = ask(name, args);
    promise.catch(() => remembered.delete(key));
    remembered.set(key, promise);
    if (remembered.size > 24) remembered.delete(remembered.keys().next().value);
  }
  return remembered.get(key);
}

// -- screens ---------------------------------------------------------------------------------
const screens = Object.create(null); // names come from the address bar: nothing inherited may answer to them
const here = { screen: null, state: {}, data: null, ticket: 0, stamp: null };
const root = element.querySelector('.s1') || element;
const bar = h('div', { class: 's1-bar' });
const top_ = h('header', { class: 's1-top' });
const main = h('div', { class: 's1-main', tabindex: '-1', id: 's1-main', role: 'region', 'aria-label': 'Content' });
const spoken = h('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite' });
root.replaceChildren(bar, top_, main, spoken);
let catalogue = { runs: [] };

function fallbackScreen(state) {
  if (state.screen && screens[state.screen]) return state.screen;
  return !state.run && catalogue.runs.length !== 1 ? 'runs' : 'overview';
}
async function show({ quiet = false, y: wanted = null } = {}) {
  const ticket = ++here.ticket;
  const state = readState();
  if (!state.run && catalogue.runs.length === 1) state.run = catalogue.runs[0].key;
  const name = fallbackScreen(state);
  const screen = screens[name];
  const moved = name !== here.screen;
  const left = PARENT[here.screen] === name && here.data ? here.data.id : null;
  if (!quiet) bar.classList.add('on');
  let node;
  let data = null;
  try {
    data = await screen.load(state);
    if (ticket !== here.ticket) return;
    Object.assign(here, { screen: name, state, data });
    node = screen.draw(data, state);
  } catch (error) {
    if (ticket !== here.ticket) return;
    Object.assign(here, { screen: name, state, data: null });
    node = trouble(error);
  }
  bar.classList.remove('on');
  const y = window.scrollY;
  main.replaceChildren(...[node].flat(Infinity).filter(Boolean));
  main.dataset.screen = name;
  main.dataset.ready = String(ticket);
  drawTop(state, name);
  document.title = [screen.title(state, data), 'socialr1_lite'].filter(Boolean).join(' · ');
  if (moved && !quiet) {
    window.scrollTo(0, wanted || 0);
    main.focus({ preventScroll: true });
  } else window.scrollTo(0, wanted === null ? y : wanted);
  if (left && screen.cameFrom) screen.cameFrom(left);
  if (!quiet) spoken.textContent = screen.title(state, data);
  if (data && screen.after) Promise.resolve(screen.after(data, state)).catch(() => {});
}
function trouble(error) {
  if (!error.expected) console.error(error);
  return h(
    'div',
    { class: 'empty', role: 'alert' },
    brandmark(),
    h('h2', {}, error.expected ? 'That cannot be shown' : 'Something went wrong here'),
    h('p', {}, error.message),
    a({ screen: 'runs' }, { base: {}, class: 'button' }, 'All runs'),
  );
}
function empty(title, ...lines) {
  return h(
    'div',
    { class: 'empty' },
    brandmark(),
    h('h2', {}, title),
    lines.map((line) => h('p', {}, line)),
  );
}
// Steps through the pages of a list, whose page is the address's `nth`; ends: to its first and last page too.
function pager(page, last, ends = false) {
  const to = (sign, label, nth, off) =>
    h(
      'button',
      { disabled: off, 'aria-label': label, onclick: () => go({ nth: nth === 1 ? null : nth }) },
      sign,
    );
  return h(
    'div',
    { class: 'pager' },
    ends && to('«', 'First page', 1, page <= 1),
    to('←', 'Previous page', page - 1, page <= 1),
    h('span', { class: 'small num' }, `page ${count(page)} of ${count(last)}`),
    to('→', 'Next page', page + 1, page >= last),
    ends && to('»', 'Last page', last, page >= last),
  );
}
const questionCard = (data) =>
  h(
    'section',
    { class: 'card tight' },
    h('p', { class: 'prose sm' }, data.story),
    h('p', { class: 'prose sm' }, h('b', {}, data.question)),
    data.options.length > 0 &&
      h(
        'div',
        { class: 'chips' },
        data.options.map((option) => h('span', { class: 'chip' }, option)),
      ),
  );
function toast(text) {
  const node = h('div', { class: 'toast', role: 'status' }, text);
  root.append(node);
  setTimeout(() => node.remove(), 2600);
}

// -- top bar ---------------------------------------------------------------------------------
const NAV = [
  ['overview', 'Overview'],
  ['traces', 'Traces'],
  ['hacks', 'Hack board'],
  ['labels', 'Labels'],
  ['figures', 'Why'],
  ['benchmarks', 'Benchmarks'],
  ['compare', 'Compare'],
  ['try', 'Try it'],
  ['exchange', 'Import & export'],
];
// Sub-screens keep their list's place in the bar.
const PARENT = {
  ...{ trace: 'traces', group: 'traces', prompt: 'traces', pair: 'labels' },
  ...{ solved: 'figures', settings: 'figures', verdicts: 'figures' },
};
const live = h('span', { class: 'live' }, h('i'), h('span', { class: 'words' }));
function drawTop(state, name) {
  const current = PARENT[name] || name;
  const pick = h(
    'select',
    {
      'aria-label': 'Run',
      id: 's1-run',
      onchange: (e) =>
        visit(
          link(
            {
              run: e.target.value,
              screen: e.target.value ? (screens[here.screen].anyRun ? here.screen : 'overview') : 'runs',
            },
            {},
          ),
        ),
    },
    h('option', { value: '' }, 'All runs'),
    catalogue.runs.map((run) => h('option', { value: run.key, selected: run.key === state.run }, run.label)),
  );
  pick.value = state.run || '';
  top_.replaceChildren(
    h(
      'div',
      { class: 'inner' },
      a(
        { screen: 'runs' },
        { base: {}, class: 'brand', 'aria-label': 'socialr1_lite: all runs' },
        brandmark(),
        h('span', { class: 'word' }, 'socialr1_lite'),
      ),
      pick,
      h(
        'nav',
        { 'aria-label': 'Screens' },
        (state.run ? NAV : NAV.filter(([key]) => ['compare', 'try', 'exchange'].includes(key))).map(([key, title]) =>
          a({ screen: key }, { 'aria-current': key === current ? 'page' : null }, title),
        ),
      ),
      live,
      h(
        'button',
        { class: 'plain', 'aria-label': `Theme: ${themeName()}`, title: 'Theme (t)', onclick: turnTheme },
        { auto: '◐', light: '○', dark: '●' }[themeName()],
      ),
      h('button', { class: 'plain', 'aria-label': 'Keys', title: 'Keys (?)', onclick: showKeys }, '?'),
    ),
  );
  const chosen = top_.querySelector('nav [aria-current]');
  if (chosen && chosen.parentNode.scrollWidth > chosen.parentNode.clientWidth)
    chosen.parentNode.scrollLeft = chosen.offsetLeft - 40;
}

// -- theme: the reader's choice, else the system's -------------------------------------------
const dusk = window.matchMedia('(prefers-color-scheme: dark)');
function themeName() {
  const asked = new URLSearchParams(location.search).get('__theme');
  if (asked === 'dark' || asked === 'light') return asked;
  try {
    return localStorage.getItem('s1-theme') || 'auto';
  } catch {
    return 'auto';
  }
}
function applyTheme() {
  const name = themeName();
  const dark = name === 'dark' || (name === 'auto' && dusk.matches);
  root.classList.toggle('dark', dark);
  document.documentElement.dataset.s1Theme = dark ? 'dark' : 'light';
}
function turnTheme() {
  const next = { auto: 'light', light: 'dark', dark: 'auto' }[themeName()];
  try {
    localStorage.setItem('s1-theme', next);
  } catch {
    /* a private window: the choice lasts as long as the page */
  }
  const url = new URL(location.href);
  url.searchParams.delete('__theme');
  history.replaceState(null, '', url);
  applyTheme();
  drawTop(here.state, here.screen);
}
dusk.addEventListener('change', applyTheme);

// -- keys ------------------------------------------------------------------------------------
const KEYS = [
  ['j k', 'next, previous completion within the filter'],
  ['h l', 'previous, next sibling in the group'],
  ['[ ]', 'the same prompt at an earlier, later step'],
  ['1 2 3 4', 'jump to a stage'],
  ['r', 'raw text'],
  ['m', 'mark the stages (labels)'],
  ['y p n', 'while labelling: good, partly, bad'],
  ['i b', 'while labelling: a note; blind to what it earned'],
  ['. v', 'while labelling: the next one; the better of two siblings'],
  ['d', 'follow the prompt across training, with a word diff'],
  ['g', 'the whole group'],
  ['u', 'back to the list'],
  ['/', 'search'],
  ['c', 'copy the link to exactly this view'],
  ['x', 'export the selection'],
  ['t', 'light, dark, or as the system'],
  ['?', 'this list'],
];
function showKeys() {
  if (root.querySelector('dialog[open]')) return;
  const box = h(
    'dialog',
    { 'aria-labelledby': 's1-keys' },
    h(
      'div',
      { class: 'row spread' },
      h('h2', { id: 's1-keys' }, 'Keys'),
      h('button', { onclick: () => box.close() }, 'Close'),
    ),
    h(
      'div',
      { class: 'keys' },
      KEYS.map(([keys, does]) => [
        h(
          'span',
          { class: 'row' },
          keys.split(' ').map((key) => h('kbd', {}, key)),
        ),
        h('span', {}, does),
      ]),
    ),
  );
  box.addEventListener('close', () => box.remove());
  root.append(box);
  box.showModal();
}
async function copyText(text, said) {
  try {
    await navigator.clipboard.writeText(text);
    toast(said);
  } catch {
    // a notebook's frame may not write to the clipboard
    const box = h('textarea', { value: text, 'aria-label': 'Text to copy', class: 'visually-hidden' });
    root.append(box);
    box.select();
    const done = document.execCommand('copy');
    box.remove();
    if (done) toast(said);
    else window.prompt('Copy this', text.slice(0, 10000));
  }
}
const copyLink = () => copyText(location.href, 'Link copied');
const copyButton = (what, text) =>
  h(
    'button',
    {
      class: 'plain copy',
      'aria-label': `Copy ${what}`,
      title: `Copy ${what}`,
      onclick: () => copyText(text, 'Copied'),
    },
    s(
      'svg',
      { viewBox: '0 0 16 16', width: 14, height: 14, 'aria-hidden': 'true' },
      s('path', { d: 'M5 5V2h9v9h-3M2 5h9v9H2Z', fill: 'none', stroke: 'currentColor', 'stroke-width': 1.5 }),
    ),
  );

// A long text is shown in part until somebody wants all of it: 100 kB take a browser seconds to lay out.
const FOLDED_FROM = 20000;
const FOLDED_TO = 6000;
function folded(pieces, draw) {
  const length = pieces.reduce((sum, part) => sum + part.t.length, 0);
  if (length <= FOLDED_FROM) return pieces.map(draw);
  const shown = [];
  let room = FOLDED_TO;
  for (const part of pieces) {
    if (room <= 0) break;
    shown.push(part.t.length > room ? { ...part, t: part.t.slice(0, room) } : part);
    room -= part.t.length;
  }
  const more = h(
    'button',
    { class: 'small', 'data-unfold': '', onclick: () => more.parentNode.replaceChildren(...pieces.map(draw)) },
    `… show all ${count(length)} characters`,
  );
  return [shown.map(draw), more];
}
const plainly = (part) => document.createTextNode(part.t);
const COMMON_KEYS = {
  '?': showKeys,
  t: turnTheme,
  c: copyLink,
  x: () => visit(link({ screen: 'exchange' }, keep(FILTERS))),
  '/': () => {
    const box = root.querySelector('#s1-search');
    if (box) box.focus();
    else if (here.state.run)
      visit(link({ screen: 'traces' }, keep(FILTERS))).then(() => (root.querySelector('#s1-search') || main).focus());
  },
};
document.addEventListener('keydown', (event) => {
  if (!root.isConnected || event.ctrlKey || event.metaKey || event.altKey || root.querySelector('dialog[open]')) return;
  if (event.target.closest && event.target.closest('input, textarea, select, [contenteditable="true"]')) {
    if (event.key === 'Escape') event.target.blur();
    return;
  }
  const own = here.screen && screens[here.screen].keys;
  const act = (own && own[event.key]) || COMMON_KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// -- live: ask whether anything was written; never redraw under the reader's eyes ------------
async function pulse() {
  if (document.hidden || !root.isConnected) return;
  if (!here.state.run) {
    if (here.data && screens[here.screen].live) await screens[here.screen].live({}).catch(() => {});
    return;
  }
  try {
    const now = await ask('pulse', { run: here.state.run });
    live.classList.toggle('on', now.writing);
    live.querySelector('.words').textContent = now.writing
      ? `live · step ${now.step}`
      : now.age === null
        ? ''
        : `${now.status.startsWith('silent') ? 'silent, ' : ''}written ${ago(now.age)}`;
    live.title = now.writing ? 'This run is being written now' : '';
    const stamp = `${here.state.run} ${now.stamp}`;
    if (here.stamp !== stamp) {
      remembered.clear();
      here.stamp = stamp;
    }
    if (here.data && screens[here.screen].live) await screens[here.screen].live(now);
  } catch (error) {
    live.classList.remove('on');
    live.querySelector('.words').textContent = error.gone ? 'viewer gone' : 'run not readable';
    live.title = error.message;
  }
}

async function start() {
  applyTheme();
  try {
    catalogue = await ask('runs', {});
  } catch (error) {
    main.replaceChildren(trouble(error));
    return;
  }
  window.addEventListener('popstate', (event) => show({ y: event.state && event.state.y }));
  await show();
  for (;;) {
    await pulse();
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  } // one at a time, however slow the server
}
