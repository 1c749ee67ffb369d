// Every completion that passes the filter, fifty at a time.
const FACET_TITLES = {
  phase: 'Phase',
  benchmark: 'Benchmark',
  outcome: 'Outcome',
  truncated: 'Ended',
  flat: 'Group',
  dimension: 'Dimension',
  flag: 'Flags',
  stage_state: 'Stages',
};
const columnsOf = (components) => [
  ['step', 'Step'],
  ['group', 'Group'],
  [null, '#'],
  ['outcome', 'Outcome'],
  [null, 'Stages'],
  ...components.map((one) => [one.sort, one.own ? one.title : one.title.slice(0, 3), one.title]),
  ['total', 'Reward'],
  ['advantage', 'Advantage'],
  ['tokens', 'Tokens'],
  [null, 'Reply'],
];
const wording = (facet, value) => {
  if (facet === 'truncated') return value === '1' ? 'cut at the limit' : 'by itself';
  if (facet === 'flat') return value === '1' ? 'no variance' : 'informative';
  if (facet === 'stage_state') {
    const [stage, state] = value.split(':');
    return [glyph(stage, state, false), ` ${TITLES[stage]} ${state}`];
  }
  return value.replaceAll('_', ' ');
};
// A click on a value adds it to those of which one is enough, or takes it away.
function toggle(key, value) {
  const { not, values } = chosen(readState(), key);
  const left = values.includes(value) ? values.filter((one) => one !== value) : [...values, value];
  go({ [key]: facetText(left, not), nth: null, screen: 'traces' });
}
function negate(key) {
  const { not, values } = chosen(readState(), key);
  go({ [key]: facetText(values, !not), nth: null, screen: 'traces' });
}

const FACETS_AFTER_MS = 150; // a reader who goes on at once should not wait for counts that nobody saw
const lastFacets = { run: null, facets: {} }; // shown until the new counts are there, so that nothing jumps
function facetList(facets, state) {
  const groups = Object.entries(facets).filter(([key, values]) => values.length > 1 || state[key]);
  const body = groups.map(([key, values]) =>
    h(
      'div',
      {},
      h(
        'div',
        { class: 'row spread' },
        h('h3', { id: `facet-${key}` }, FACET_TITLES[key] || key),
        state[key] &&
          h(
            'button',
            {
              class: 'chip',
              'data-not': key,
              title: 'Show what has none of these',
              'aria-pressed': chosen(state, key).not ? 'true' : 'false',
              onclick: () => negate(key),
            },
            'not',
          ),
      ),
      h(
        'div',
        { role: 'group', 'aria-labelledby': `facet-${key}` },
        values.map(({ value, n }) =>
          h(
            'button',
            {
              'aria-pressed': chosen(state, key).values.includes(value) ? 'true' : 'false',
              'data-facet': `${key}:${value}`,
              onclick: () => toggle(key, value),
            },
            h('span', {}, wording(key, value)),
            h('span', { class: 'count' }, count(n)),
          ),
        ),
      ),
    ),
  );
  const narrow = window.matchMedia('(max-width: 820px)').matches;
  const range = rangeForm(state);
  const all = [range, body];
  return h(
    'div',
    { class: 'facets', tabindex: '0', role: 'region', 'aria-label': 'Filters' },
    narrow ? h('details', {}, h('summary', {}, 'Filters'), h('div', { class: 'stack' }, all)) : all,
  );
}
const RANGE_ROWS = [
  ['Step', 'from', 'to', '1'],
  ['Reward', 'reward_min', 'reward_max', 'any'],
  ['Advantage', 'advantage_min', 'advantage_max', 'any'],
  ['Tokens', 'tokens_min', 'tokens_max', '1'],
  ['Process', 'process_min', 'process_max', 'any'],
];
function rangeForm(state) {
  const names = RANGE_ROWS.flatMap(([, low, high]) => [low, high]);
  const box = (title, name, step, end) =>
    h('input', { name, type: 'number', step, value: state[name] || '', 'aria-label': `${title}, ${end}` });
  return h(
    'form',
    {
      class: 'ranges',
      'aria-label': 'Ranges',
      onsubmit: (e) => {
        e.preventDefault();
        go({ ...Object.fromEntries(names.map((name) => [name, e.target.elements[name].value])), nth: null });
      },
    },
    RANGE_ROWS.map(([title, low, high, step]) => [
      h('span', { class: 'small muted' }, title),
      box(title, low, step, 'at least'),
      box(title, high, step, 'at most'),
    ]),
    h('button', { class: 'small' }, 'Apply'),
  );
}
const CHIP_TITLES = { q: 'text', in: 'searched', from: 'from step', to: 'to step', scenario: 'prompt' };
const chipTitle = (key) =>
  CHIP_TITLES[key] ||
  FACET_TITLES[key] ||
  key.replace(/_min$/, ' at least').replace(/_max$/, ' at most').replaceAll('_', ' ');
function chipValue(key, text) {
  if (!FACET_TITLES[key]) return text;
  const { not, values } = chosen({ [key]: text }, key);
  return [not && 'not ', values.map((value, i) => [i > 0 && ' or ', wording(key, value)])];
}
function activeChips(state) {
  const on = Object.entries(filterOf(state));
  if (!on.length) return null;
  return h(
    'div',
    { class: 'chips', 'aria-label': 'Active filters' },
    on.map(([key, value]) =>
      h(
        'button',
        { class: 'chip', title: 'Remove this filter', onclick: () => go({ [key]: null, nth: null }) },
        chipTitle(key),
        ': ',
        chipValue(key, value),
        ' ✕',
      ),
    ),
    h(
      'button',
      { class: 'chip', onclick: () => go(Object.fromEntries([...FILTERS, 'nth'].map((key) => [key, null]))) },
      'Clear all',
    ),
  );
}
const componentCells = (row, components) =>
  components.map(({ name }) => {
    const value = row.components[name];
    return h(
      'td',
      { class: 'n comp' },
      value === null || value === undefined ? h('span', { class: 'muted' }, '–') : fixed(value),
    );
  });
// Which completions this browser has opened, the latest few thousand of each run.
const OPENED = 's1-opened';
const MOST_OPENED = 3000;
function openedOf(run) {
  try {
    return JSON.parse(localStorage.getItem(OPENED) || '{}')[run] || [];
  } catch {
    return [];
  }
}
function noteOpened(run, id) {
  const known = openedOf(run);
  if (known[known.length - 1] === id) return;
  try {
    const all = JSON.parse(localStorage.getItem(OPENED) || '{}');
    all[run] = [...known.filter((one) => one !== id), id].slice(-MOST_OPENED);
    localStorage.setItem(OPENED, JSON.stringify(all));
  } catch {
    /* a private window, or full: nothing is marked */
  }
}
function traceRow(row, components, scale, opened) {
  const base = keep(FILTERS, 'sort');
  const href = link({ screen: 'trace', trace: row.id }, base);
  return h(
    'tr',
    {
      'data-trace': row.id,
      class: [row.superseded && 'muted', opened.has(row.id) && 'opened'].filter(Boolean).join(' '),
      onclick: (event) => {
        if (!event.target.closest('a, button') && !String(window.getSelection())) visit(href);
      },
    },
    h('td', { class: 'n third', 'data-label': 'step' }, row.step),
    h('td', { class: 'n third', 'data-label': 'group' }, a({ screen: 'group', trace: row.id }, { base }, row.group)),
    h('td', { class: 'n third', 'data-label': '#' }, row.index),
    h(
      'td',
      { class: 'half' },
      h('span', { class: row.outcome }, (OUTCOMES[row.outcome] || ['·', row.outcome]).join(' ')),
      row.truncated && h('span', { class: 'wrong', title: 'cut at the token limit' }, ' ✂'),
    ),
    h(
      'td',
      { class: 'half' },
      row.stages ? lights(row.stages) : h('span', { class: 'muted', title: 'there is no reply' }, '–'),
    ),
    componentCells(row, components),
    h('td', { class: 'n third', 'data-label': 'reward' }, h('b', {}, fixed(row.total))),
    h('td', { class: 'n third', 'data-label': 'adv' }, diverge(row.advantage, scale), ' ', signed(row.advantage)),
    h('td', { class: 'n third', 'data-label': 'tokens' }, count(row.tokens)),
    h(
      'td',
      { class: 'wide' },
      h(
        'a',
        {
          href,
          class: 'peek',
          title: opened.has(row.id) ? 'opened before' : null,
          onclick: (e) => {
            if (e.ctrlKey || e.metaKey || e.shiftKey) return;
            e.preventDefault();
            visit(href);
          },
        },
        row.peek || '(empty)',
      ),
    ),
  );
}
function traceTable(data, state) {
  const [by, way] = (state.sort || 'step').startsWith('-')
    ? [(state.sort || '').slice(1), 'descending']
    : [state.sort || 'step', 'ascending'];
  const scale = Math.max(...data.rows.map((row) => Math.abs(row.advantage || 0)), 1e-9);
  const opened = new Set(openedOf(state.run));
  const head = columnsOf(data.components).map(([key, title, full]) =>
    key && data.sorts.includes(key)
      ? h(
          'th',
          { scope: 'col', title: full, 'aria-sort': key === by ? way : null },
          h(
            'button',
            { onclick: () => go({ sort: key === by && way === 'descending' ? key : `-${key}`, nth: null }) },
            title,
            key === by ? (way === 'ascending' ? ' ↑' : ' ↓') : '',
          ),
        )
      : h('th', { scope: 'col' }, title),
  );
  const table = h(
    'div',
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Completions' },
    h(
      'table',
      { class: 'grid fold' },
      h('thead', {}, h('tr', {}, head)),
      h(
        'tbody',
        {},
        data.rows.map((row) => traceRow(row, data.components, scale, opened)),
      ),
    ),
  );
  return [sortPicker(data, by, way), table];
}
// The phone shows no column headings, so it sorts from a list.
function sortPicker(data, by, way) {
  const named = columnsOf(data.components).filter(([key]) => key && data.sorts.includes(key));
  const pick = select(
    named.map(([key, title, full]) => [key, full || title]),
    by,
    (value) => go({ sort: way === 'descending' ? `-${value}` : value, nth: null }),
  );
  return h(
    'div',
    { class: 'row phone-only' },
    h('label', { class: 'row small' }, 'Sorted by', fill(pick, { id: 's1-sort' }, [])),
    h(
      'button',
      {
        'aria-label': way === 'descending' ? 'Largest first; turn round' : 'Smallest first; turn round',
        onclick: () => go({ sort: way === 'descending' ? by : `-${by}`, nth: null }),
      },
      way === 'descending' ? '↓' : '↑',
    ),
  );
}
function pages(data, state, end = false) {
  const last = Math.max(1, Math.ceil(data.total / data.size));
  const at = data.page;
  return h(
    'div',
    { class: 'row spread' },
    h(
      'span',
      { class: 'muted num', id: end ? null : 's1-count' },
      data.total
        ? `${count((at - 1) * data.size + 1)}–${count(Math.min(at * data.size, data.total))} of ${count(data.total)}`
        : 'nothing',
    ),
    pager(at, last, true),
  );
}
screens.traces = {
  title: () => 'Traces',
  load: (state) =>
    ask('traces', { run: state.run, sort: state.sort || '', nth: state.nth || '', ...filterOf(state) }),
  draw(data, state) {
    const scope = select(
      [
        ['', 'in replies'],
        ['asked', 'in story and question'],
        ['all', 'anywhere'],
      ],
      state.in || '',
      () => {},
    );
    fill(scope, { name: 'scope', 'aria-label': 'Where to search' }, []);
    const search = h(
      'form',
      {
        class: 'row',
        role: 'search',
        onsubmit: (e) => {
          e.preventDefault();
          const { q, scope } = e.target.elements;
          go({ q: q.value.trim(), in: q.value.trim() && scope.value, nth: null });
        },
      },
      h('input', {
        id: 's1-search',
        name: 'q',
        type: 'search',
        value: state.q || '',
        placeholder: 'word "a phrase" -without this OR that',
        'aria-label': 'Search',
        class: 'grow',
        style: { 'min-width': '180px' },
      }),
      scope,
      h('button', {}, 'Search'),
    );
    return [
      h(
        'div',
        { class: 'row spread' },
        h('h1', {}, 'Traces'),
        h(
          'div',
          { class: 'row grow' },
          h('button', { id: 's1-fresh', class: 'chip warn hidden', onclick: () => show() }),
          search,
          a({ screen: 'exchange' }, { base: keep(FILTERS), class: 'button' }, 'Export'),
        ),
      ),
      activeChips(state),
      data.notice && h('p', { class: 'note small' }, data.notice),
      h(
        'div',
        { class: 'table-view' },
        h('h2', { class: 'visually-hidden' }, 'Filters'),
        facetList(lastFacets.run === state.run ? lastFacets.facets : {}, state),
        h(
          'div',
          { class: 'stack' },
          data.rows.length
            ? [pages(data, state), traceTable(data, state), data.total > data.size && pages(data, state, true)]
            : data.seen
              ? empty('No completion matches', 'Take a filter away to see more.')
              : empty('No completions yet', 'They appear here as soon as the first step is generated.'),
        ),
      ),
    ];
  },
  async after(data, state) {
    await new Promise((wake) => setTimeout(wake, FACETS_AFTER_MS));
    if (here.data !== data) return;
    const answer = await ask('facets', { run: state.run, ...filterOf(state) });
    if (here.data !== data) return;
    Object.assign(lastFacets, { run: state.run, facets: answer.facets });
    const old = main.querySelector('.facets');
    if (!old) return;
    const fresh = facetList(answer.facets, state);
    const open = old.querySelector('details[open]');
    if (open && fresh.querySelector('details')) fresh.querySelector('details').open = true;
    const focused = document.activeElement && document.activeElement.dataset && document.activeElement.dataset.facet;
    const typing = old.contains(document.activeElement) && document.activeElement.matches('input');
    if (typing) old.replaceChildren(old.firstChild, ...[...fresh.childNodes].slice(1));
    else old.replaceWith(fresh);
    if (focused) {
      const again = [...main.querySelectorAll('[data-facet]')].find((node) => node.dataset.facet === focused);
      if (again) again.focus({ preventScroll: true });
    }
    main.dataset.facets = main.dataset.ready;
  },
  live(now) {
    const fresh = root.querySelector('#s1-fresh');
    if (!fresh) return;
    const more = now.rows - here.data.seen;
    if (more <= 0) return;
    fresh.textContent = `${plural(more, 'new completion')}: show`;
    fresh.classList.remove('hidden');
  },
  cameFrom(id) {
    const row = [...root.querySelectorAll('tr[data-trace]')].find((one) => one.dataset.trace === id);
    if (!row) return;
    row.classList.add('here');
    row.scrollIntoView({ block: 'center' });
    row.querySelector('a.peek').focus({ preventScroll: true });
  },
  keys: {
    j: () => walk(1),
    k: () => walk(-1),
    Enter: () => {
      const row = root.querySelector('tr.here');
      if (row) toTrace(row.dataset.trace);
    },
  },
};
function walk(by) {
  const rows = [...root.querySelectorAll('tr[data-trace]')];
  if (!rows.length) return;
  const at = rows.findIndex((row) => row.classList.contains('here'));
  const to = rows[Math.max(0, Math.min(rows.length - 1, at + by))];
  rows.forEach((row) => row.classList.toggle('here', row === to));
  to.scrollIntoView({ block: 'nearest' });
  to.querySelector('a.peek').focus({ preventScroll: true });
}
