// Prompts by step: how many completions of each prompt were right at each step at which it came up.
const CELL = 14;
const NAME_SIZE = 11.5; // as in why.css
// A name in so many pixels: Chinese letters are twice as wide as Latin ones, so that signs cannot be counted.
function solvedLabel(text, room) {
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = `${NAME_SIZE}px ${getComputedStyle(root).getPropertyValue('--sans')}`;
  const signs = [...text].slice(0, room);
  let told = text;
  while (signs.length && pen.measureText(told).width > room) {
    signs.pop();
    told = `${signs.join('')}…`;
  }
  return `\u2068${told}\u2069`; // runs in its own direction, also in the file
}
function heatMap(data) {
  const narrow = window.innerWidth < 640;
  const left = narrow ? 132 : 300;
  const width = left + CELL * Math.max(1, data.columns.length) + 12;
  const top = 22;
  const height = top + CELL * data.rows.length + 8;
  const every = Math.max(1, Math.ceil(data.columns.length / 12));
  const told = ([from, to]) => (from === to ? `step ${from}` : `steps ${from} to ${to}`);
  const cell =
    (row, y) =>
    ([column, right, n]) => {
      const x = left + column * CELL;
      const high = ((CELL - 2) * right) / n;
      const [from, to] = data.columns[column];
      return s(
        'g',
        {
          class: 'cell',
          'data-cell': `${row.scenario} ${from}`,
          onclick: () =>
            visit(link({ screen: 'traces', scenario: written(row.scenario), from, to, phase: 'train' }, keep())),
        },
        s('title', {}, `${told(data.columns[column])}: ${right} of ${n} right`),
        s('rect', { class: right ? 'some' : 'none', x, y, width: CELL - 2, height: CELL - 2 }),
        right > 0 && s('rect', { class: 'part', x, y: y + CELL - 2 - high, width: CELL - 2, height: high }),
      );
    };
  return s(
    'svg',
    {
      class: 'heat',
      viewBox: `0 0 ${width} ${height}`,
      width,
      height,
      role: 'group',
      'aria-label': 'Right answers by prompt and step',
    },
    data.columns.map(
      ([from], i) =>
        i % every === 0 &&
        s('text', { class: 'tick', x: left + i * CELL + CELL / 2 - 1, y: 14, 'text-anchor': 'middle' }, from),
    ),
    data.rows.map((row, i) => {
      const y = top + i * CELL;
      const href = link({ screen: 'prompt', trace: row.trace }, keep());
      const text = solvedLabel(row.question || row.scenario, left - 16);
      return [
        s(
          'a',
          {
            href,
            'aria-label': `${row.question || row.scenario}: ${row.kind}, ${percent(row.share)} right`,
            onclick: (event) => {
              if (event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
              event.preventDefault();
              visit(href);
            },
          },
          s('title', {}, [row.question, ...row.parts].filter(Boolean).join(' · ')),
          s('text', { class: 'name', x: left - 8, y: y + CELL - 4, 'text-anchor': 'end' }, text),
        ),
        row.cells.map(cell(row, y)),
      ];
    }),
  );
}
const heatRows = (data) => [
  [
    'scenario',
    'question',
    'kind',
    'right',
    ...data.columns.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)),
  ],
  ...data.rows.map((row) => {
    const known = new Map(row.cells.map(([column, right, n]) => [column, right / n]));
    const shares = data.columns.map((_, column) => (known.has(column) ? known.get(column) : ''));
    return [row.scenario, row.question, row.kind, row.share, ...shares];
  }),
];
screens.solved = {
  title: () => 'Prompts by step',
  load: (state) => ask('solved', { run: state.run, kind: state.kind || '', nth: state.nth || '' }),
  draw(data, state) {
    const chip = (kind, n, means) =>
      h(
        'button',
        {
          'aria-pressed': (state.kind || '') === kind ? 'true' : 'false',
          'data-kind': kind,
          title: means,
          onclick: () => go({ kind, nth: null }),
        },
        kind || 'all',
        h('span', { class: 'num' }, count(n)),
      );
    const means = data.kinds.find((one) => one.name === state.kind);
    const last = Math.max(1, Math.ceil(data.matching / data.size));
    const map = data.rows.length > 0 && heatMap(data);
    const svg = () => {
      const keys = [
        { name: 'share right', hue: 'var(--right)' },
        { name: 'none right', hue: 'var(--wrong)' },
      ];
      const { width, height } = map.viewBox.baseVal;
      return sheetOf('Right answers by prompt and step', '', keys, standing(map), width, height);
    };
    return [
      h('div', { class: 'row spread' }, h('h1', {}, 'Prompts by step'), whyTabs('solved')),
      h(
        'div',
        { class: 'row', role: 'group', 'aria-label': 'Which prompts' },
        chip('', data.of, ''),
        data.kinds.map((one) => chip(one.name, one.n, one.means)),
      ),
      h(
        'p',
        { class: 'small muted' },
        means ? `${means.name}: ${means.means}. ` : '',
        'A row is a prompt, a cell its completions at a step: green from below is the share right, red none of them. ',
        'A cell opens its completions, a question its whole way.',
      ),
      map
        ? h(
            'section',
            { class: 'card tight', 'data-figure': 'solved' },
            h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Map' }, map),
            figureFiles('prompts-by-step', { svg, rows: () => heatRows(data) }),
          )
        : empty('No prompt is of this kind', 'Choose another above.'),
      last > 1 && pager(data.page, last),
    ];
  },
};
