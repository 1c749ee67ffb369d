// Why does it stagnate: any metric on any axis, split by kind of question, several runs in one figure.
// The screens that answer "why", beside one another.
const WHY = [
  ['figures', 'Curves'],
  ['solved', 'Prompts by step'],
  ['settings', 'Recipe and environment'],
  ['verdicts', 'Judged again'],
];
const whyTabs = (current) =>
  h(
    'nav',
    { class: 'row why', 'aria-label': 'Why' },
    WHY.map(([screen, title]) =>
      a({ screen }, { class: 'button', 'aria-current': screen === current ? 'page' : null }, title),
    ),
  );
// Chosen things with a way to take each away, and a list to add from. options: [[value, title]]
function picker(title, chosen_, options, changed, least = 0) {
  const names = new Map(options);
  const rest = options.filter(([value]) => !chosen_.includes(value));
  const list = select([['', 'add …'], ...rest], '', (value) => value && changed([...chosen_, value]));
  list.setAttribute('aria-label', `${title}: add`);
  return h(
    'div',
    { class: 'tight' },
    h('span', { class: 'small muted' }, title),
    h(
      'div',
      { class: 'chips' },
      chosen_.map((value) =>
        h(
          'button',
          {
            class: 'chip',
            disabled: chosen_.length <= least,
            'aria-label': `take ${names.get(value) || value} away`,
            onclick: () => changed(chosen_.filter((one) => one !== value)),
          },
          names.get(value) || value,
          chosen_.length > least && h('span', { 'aria-hidden': 'true' }, '×'),
        ),
      ),
      rest.length > 0 && list,
    ),
  );
}
const runPicker = (data, state) =>
  picker(
    'Other runs beside it',
    chosen(state, 'also').values,
    data.runs.filter((one) => one.key !== state.run).map((one) => [one.key, one.label]),
    (also) => go({ also: facetText(also) }),
  );
const MOST_LINES = 10; // of a split, those with most completions
const partsOf = (data, metric) => [
  ...new Set(data.lines.filter((line) => line.metric === metric.name).map((line) => line.part)),
];
function figuresOf(data, state) {
  const lines = data.wanted.flatMap((metric) => {
    const parts = partsOf(data, metric).slice(0, MOST_LINES);
    return data.lines
      .filter((line) => line.metric === metric.name && parts.includes(line.part))
      .map((line) => ({ ...line, title: metric.title, share: metric.share }));
  });
  const groups = state.one
    ? [['together', lines]]
    : data.wanted.map((metric) => [metric.name, lines.filter((line) => line.metric === metric.name)]);
  const label = (key) => (data.shown.find((one) => one.key === key) || { label: key }).label;
  return groups.map(([key, some]) => {
    const varies = (name) => new Set(some.map((line) => line[name])).size > 1;
    const titles = [...new Set(some.map((line) => line.title))];
    const metric = data.wanted.find((one) => one.name === key);
    return {
      key,
      title: titles.join(', ') || (metric ? metric.title : 'Nothing chosen'),
      unit: [metric && metric.share ? 'share of completions' : '', `by ${data.axis}`].filter(Boolean).join(', '),
      axis: data.axis,
      percent: some.length > 0 && some.every((line) => line.share),
      log: Boolean(state.log),
      smooth: smoothing(state),
      from: state.lo ? Number(state.lo) : null,
      to: state.hi ? Number(state.hi) : null,
      lines: some.map((line) => ({
        name:
          [varies('run') && label(line.run), varies('metric') && line.title, line.part].filter(Boolean).join(' · ') ||
          line.title,
        points: line.points,
      })),
    };
  });
}
const smoothing = (state) => Math.min(99, Math.max(0, Number(state.smooth) || 0)) / 100;
function figureControls(data, state, redraw) {
  const names = data.metrics.map((one) => [
    one.name,
    one.name.startsWith('completions:') ? `${one.title} (of completions)` : one.title,
  ]);
  const wanted = data.wanted.map((one) => one.name);
  const field = (title, control) => h('label', { class: 'field' }, title, control);
  const box = (title, name) =>
    h(
      'label',
      { class: 'row small' },
      h('input', {
        type: 'checkbox',
        checked: Boolean(state[name]),
        onchange: (e) => go({ [name]: e.target.checked ? '1' : null }),
      }),
      title,
    );
  const end = (title, name) =>
    field(
      title,
      h('input', {
        type: 'number',
        step: 'any',
        value: state[name] || '',
        'data-zoom': name,
        onchange: (e) => go({ [name]: e.target.value }),
      }),
    );
  return h(
    'div',
    { class: 'card stack' },
    picker('Metrics', wanted, names, (metric) => go({ metric: facetText(metric) }), 1),
    runPicker(data, state),
    h(
      'div',
      { class: 'why-fields' },
      field(
        'Split by',
        select(
          ['', 'dimension', 'order', 'template', 'perturbation'].map((one) => [one, one || 'not split']),
          state.split || '',
          (split) => go({ split }),
        ),
      ),
      field(
        'Across',
        select(
          [
            ['', 'steps'],
            ['tokens', 'tokens'],
            ['time', 'time'],
          ],
          state.x || '',
          (x) => go({ x, lo: null, hi: null }),
        ),
      ),
      field(
        'Smoothing',
        h('input', {
          type: 'range',
          min: 0,
          max: 99,
          value: String(Math.round(100 * smoothing(state))),
          id: 's1-smooth',
          oninput: (e) => redraw({ smooth: Number(e.target.value) / 100 }),
          onchange: (e) =>
            history.replaceState(null, '', link({ smooth: e.target.value === '0' ? null : e.target.value })),
        }),
      ),
      end('From', 'lo'),
      end('To', 'hi'),
    ),
    h(
      'div',
      { class: 'row' },
      box('logarithmic', 'log'),
      box('all in one figure', 'one'),
      h('button', { onclick: () => go({ lo: null, hi: null }), disabled: !state.lo && !state.hi }, 'Zoom out'),
      data.monitors.length > 0 &&
        a(
          { metric: facetText(data.monitors), one: '1' },
          { base: readState(), class: 'button' },
          'Monitors beside what is paid',
        ),
    ),
  );
}
const differenceTable = (data) =>
  h(
    'section',
    { class: 'card tight', id: 's1-differences' },
    h('h2', {}, 'What differs in their recipes'),
    data.differences.length
      ? h(
          'div',
          { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'What differs in their recipes' },
          settingsTable(data.shown, data.differences),
        )
      : h('p', { class: 'muted' }, 'Nothing: the recipes hold the same settings.'),
  );
screens.figures = {
  title: () => 'Curves',
  load: (state) =>
    ask('figures', {
      run: state.run,
      also: state.also || '',
      metric: state.metric || '',
      split: state.split || '',
      x: state.x || '',
    }),
  draw(data, state) {
    const one = data.shown.length === 1;
    const pick = one ? (step) => visit(link({ screen: 'traces', from: step, to: step, phase: 'train' }, keep())) : null;
    const zoomed = (lo, hi) => {
      const text = (x) => (x === null ? null : String(Number(x.toPrecision(6))));
      history.replaceState(null, '', link({ lo: text(lo), hi: text(hi) }));
      for (const [name, x] of [
        ['lo', lo],
        ['hi', hi],
      ])
        root.querySelector(`[data-zoom=${name}]`).value = text(x) || '';
      for (const figure of this.drawn.values()) figure.update({ from: lo, to: hi });
    };
    this.drawn = new Map(figuresOf(data, state).map((spec) => [spec.key, plot(spec, { zoomed, pick })]));
    const redraw = (changes) => this.drawn.forEach((figure) => figure.update(changes));
    const leftOut = new Set(data.wanted.flatMap((metric) => partsOf(data, metric).slice(MOST_LINES))).size;
    return [
      h('div', { class: 'row spread' }, h('h1', {}, 'Why does it stagnate'), whyTabs('figures')),
      figureControls(data, state, redraw),
      data.notes.map((note) => h('p', { class: 'note small' }, note)),
      leftOut > 0 &&
        h('p', { class: 'note small' }, `Left out: ${plural(leftOut, 'kind')} with fewer completions.`),
      h(
        'p',
        { class: 'small muted' },
        'Drag over a figure to zoom, double click to see it whole.',
        pick && ' A click opens the completions of that step.',
      ),
      h('h2', { class: 'visually-hidden' }, 'Figures'),
      h('div', { class: 'charts wide' }, [...this.drawn.values()]),
      !one && differenceTable(data),
    ];
  },
  async live(now) {
    const drawn = here.data;
    if (now.stamp === drawn.stamp) return;
    const data = await this.load(here.state);
    if (here.data !== drawn) return;
    here.data = data;
    for (const spec of figuresOf(data, readState()))
      if (this.drawn.has(spec.key)) this.drawn.get(spec.key).update(spec);
  },
};
