// What a run was made with and on, beside others; and all runs as a table that sorts.
const settingsTable = (shown, rows) =>
  h(
    'table',
    { class: 'grid still settings' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, 'Setting'),
        shown.map((run) => h('th', { scope: 'col' }, run.label)),
      ),
    ),
    h(
      'tbody',
      {},
      rows.map((row) =>
        h(
          'tr',
          { 'data-setting': row.name },
          h('th', { scope: 'row' }, row.differs && h('span', { class: 'warned', title: 'differs' }, '≠ '), row.name),
          row.values.map((value) => h('td', { class: 'mono' }, value)),
        ),
      ),
    ),
  );
screens.settings = {
  title: () => 'Recipe and environment',
  load: (state) => ask('settings', { run: state.run, also: state.also || '' }),
  draw(data, state) {
    const several = data.shown.length > 1;
    const only = several && state.only !== '0';
    const section = (one) => {
      const rows = only ? one.rows.filter((row) => row.differs) : one.rows;
      const nothing = one.rows.length ? 'The same in all of them.' : 'Not recorded.';
      return h(
        'section',
        { class: 'card tight' },
        h('div', { class: 'row spread' }, h('h2', {}, one.title), h('span', { class: 'small muted' }, one.note)),
        rows.length
          ? h(
              'div',
              { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': one.title },
              settingsTable(data.shown, rows),
            )
          : h('p', { class: 'muted' }, nothing),
      );
    };
    return [
      h('div', { class: 'row spread' }, h('h1', {}, 'Recipe and environment'), whyTabs('settings')),
      h(
        'div',
        { class: 'card stack' },
        runPicker(data, state),
        several &&
          h(
            'label',
            { class: 'row small' },
            h('input', {
              type: 'checkbox',
              checked: only,
              onchange: (e) => go({ only: e.target.checked ? null : '0' }),
            }),
            'only what differs',
          ),
        several &&
          h(
            'div',
            { class: 'row' },
            a({ screen: 'figures', also: state.also }, { class: 'button' }, 'Their curves in one figure'),
          ),
      ),
      data.sections.map(section),
    ];
  },
};
// -- all runs --------------------------------------------------------------------------------
function runColumns(data) {
  const shown = (value, share) => (share ? percent(value, 1) : short(value, {}));
  return [
    ['label', 'Run', (row) => row.label],
    ['status', 'Status', (row) => row.status],
    ['step', 'Step', (row) => row.step, (row) => count(row.step)],
    ['hours', 'Hours', (row) => row.hours, (row) => fixed(row.hours)],
    ...data.ends.map((end) => [
      end.name,
      end.title,
      (row) => row.ends[end.name],
      (row) => shown(row.ends[end.name], end.share),
    ]),
    ...data.benchmarks.map((name) => [
      `benchmark ${name}`,
      name,
      (row) => row.benchmarks[name],
      (row) => shown(row.benchmarks[name], true),
    ]),
    ...data.settings.map((name) => [`setting ${name}`, name, (row) => valueOf(row.settings[name])]),
  ].map(([key, title, value, text]) => ({ key, title, value, text: text || ((row) => row.settings[title] || '–') }));
}
// Numbers sort as numbers, whatever they were written as.
const valueOf = (text) =>
  text !== null && text !== undefined && text !== '' && Number.isFinite(Number(text)) ? Number(text) : text;
function sortedRuns(rows, column, down) {
  const absent = (value) => value === null || value === undefined || value === '';
  return [...rows].sort((one, two) => {
    const [x, y] = [column.value(one), column.value(two)];
    if (absent(x) || absent(y)) return absent(x) - absent(y);
    const by = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
    return (down ? -by : by) || one.key.localeCompare(two.key);
  });
}
screens.table = {
  anyRun: true,
  title: () => 'Runs as a table',
  load: () => ask('table', {}),
  draw(data, state) {
    const columns = runColumns(data);
    for (const one of columns) if (['label', 'status'].includes(one.key)) one.text = one.value;
    const down = (state.sort || '').startsWith('-');
    const sorted = columns.find((one) => one.key === (state.sort || '').replace(/^-/, '')) || columns[0];
    const rows = sortedRuns(data.rows, sorted, down);
    const chosen_ = chosen(state, 'also').values;
    const tick = (row, on) =>
      go(
        { also: facetText(on ? [...chosen_, row.key] : chosen_.filter((key) => key !== row.key)) },
        { replace: true },
      );
    const [first, ...others] = chosen_;
    const overlay = (screen, title) =>
      a({ run: first, also: facetText(others), screen }, { base: {}, class: 'button' }, title);
    const head = (one) => {
      const on = one === sorted;
      return h(
        'th',
        { scope: 'col', 'aria-sort': on ? (down ? 'descending' : 'ascending') : null },
        h(
          'button',
          { 'data-sort': one.key, onclick: () => go({ sort: on && !down ? `-${one.key}` : one.key }) },
          one.title,
          on && h('span', { 'aria-hidden': 'true' }, down ? '↓' : '↑'),
        ),
      );
    };
    const cell = (one, row) =>
      one.key === 'label'
        ? h('th', { scope: 'row' }, a({ run: row.key, screen: 'overview' }, { base: {} }, row.label))
        : h('td', { class: typeof one.value(row) === 'number' ? 'n' : '' }, one.text(row));
    const csv = () => [
      columns.map((one) => one.title),
      ...rows.map((row) => columns.map((one) => one.value(row) ?? '')),
    ];
    return [
      h(
        'div',
        { class: 'row spread' },
        h('h1', {}, 'Runs'),
        h(
          'div',
          { class: 'row' },
          chosen_.length > 1 && [overlay('figures', 'Their curves'), overlay('settings', 'Their settings')],
          a({ screen: 'runs' }, { base: {}, class: 'button' }, 'As cards'),
        ),
      ),
      h(
        'p',
        { class: 'small muted' },
        `Figures are means of the last ${data.recent} logged steps. Tick two or more to lay them over one another.`,
      ),
      h(
        'div',
        { class: 'card scroll', tabindex: '0', role: 'region', 'aria-label': 'All runs' },
        h(
          'table',
          { class: 'grid still', id: 's1-table' },
          h(
            'thead',
            {},
            h('tr', {}, h('th', {}, h('span', { class: 'visually-hidden' }, 'Chosen')), columns.map(head)),
          ),
          h(
            'tbody',
            {},
            rows.map((row) =>
              h(
                'tr',
                { 'data-row': row.key },
                h(
                  'td',
                  {},
                  h('input', {
                    type: 'checkbox',
                    'aria-label': `choose ${row.label}`,
                    checked: chosen_.includes(row.key),
                    onchange: (e) => tick(row, e.target.checked),
                  }),
                ),
                columns.map((one) => cell(one, row)),
              ),
            ),
          ),
        ),
      ),
      figureFiles('runs', { svg: null, rows: csv }),
    ];
  },
};
