// People judge: marks on the stages of a completion, the better of two siblings, and the judge against them.
const MARKS = [
  ['good', 'y', '✓'],
  ['partly', 'p', '~'],
  ['bad', 'n', '✗'],
];
function readerName() {
  try {
    return localStorage.getItem('s1-reader') || 'me';
  } catch {
    return 'me';
  }
}
function readerField() {
  return h(
    'label',
    { class: 'row small muted' },
    'You are',
    h('input', {
      value: readerName(),
      'aria-label': 'Your name as a reader',
      maxlength: 40,
      style: { width: '130px' },
      onchange: (e) => {
        try {
          localStorage.setItem('s1-reader', e.target.value.trim());
        } catch {
          /* a private window: the name lasts as long as the page */
        }
        show();
      },
    }),
  );
}
function turnLabel() {
  go({ label: here.state.label ? null : 1, blind: null, raw: null }, { replace: true });
}
// The marks of one stage: three buttons and a note.
function markRow(stage, marking) {
  const chosen_ = marking.labels[stage] || '';
  return h(
    'div',
    { class: 'marks row', role: 'group', 'aria-label': `Your mark: ${TITLES[stage]}` },
    MARKS.map(([mark, key, sign]) =>
      h(
        'button',
        {
          class: `mark ${mark}`,
          'data-mark': mark,
          title: `${mark} (${key})`,
          'aria-pressed': chosen_ === mark ? 'true' : 'false',
          onclick: () => saveMark(stage, chosen_ === mark ? '' : mark),
        },
        `${sign} ${mark}`,
      ),
    ),
    h('input', {
      class: 'grow',
      'data-note': stage,
      value: marking.notes[stage] || '',
      maxlength: 2000,
      placeholder: 'why (i)',
      'aria-label': `Note: ${TITLES[stage]}`,
      onchange: (e) => saveMark(stage, here.data.marks.labels[stage] || '', e.target.value),
    }),
  );
}
async function saveMark(stage, mark, note) {
  const drawn = here.data;
  try {
    const said = await ask('label', {
      run: here.state.run,
      trace: drawn.id,
      stage,
      mark,
      note: note === undefined ? drawn.marks.notes[stage] || '' : note,
      reader: readerName(),
      blind: here.state.blind || '',
    });
    if (here.data !== drawn) return;
    Object.assign(drawn.marks, { labels: said.labels, notes: said.notes, next: said.next });
    const row = root.querySelector(`#stage-${stage} .marks`);
    const focused = row && row.contains(document.activeElement) && document.activeElement.dataset.mark;
    const fresh = markRow(stage, drawn.marks);
    if (row) row.replaceWith(fresh);
    if (focused) fresh.querySelector(`[data-mark=${focused}]`).focus({ preventScroll: true });
    spoken.textContent = `${TITLES[stage]}: ${said.labels[stage] || 'no mark'}, saved`;
    const done = root.querySelector('#s1-marked');
    if (done) done.textContent = markedWords(drawn.marks);
  } catch (error) {
    toast(error.message);
  }
}
const markedWords = (marking) => `${Object.keys(marking.labels).length} of 4 marked`;
const markable = () => here.data && here.data.marks && !here.data.failure && !here.state.raw;
// The stage that a key marks: the one with the focus, else the first without a mark.
function stageHere() {
  const card = document.activeElement && document.activeElement.closest('.stage');
  if (card) return STAGES.find((stage) => card.id === `stage-${stage}`);
  return STAGES.find((stage) => !here.data.marks.labels[stage]) || STAGES[0];
}
async function markHere(mark) {
  if (!markable()) return;
  const stage = stageHere();
  const drawn = here.data;
  await saveMark(stage, mark);
  const at = STAGES.indexOf(stage);
  if (here.data === drawn && drawn.marks.labels[stage] === mark && at < STAGES.length - 1) jump(at + 1);
}
function noteHere() {
  if (!markable()) return;
  const box = root.querySelector(`[data-note=${stageHere()}]`);
  if (box) box.focus();
}
function toPair(other) {
  const data = here.data;
  const at = data.siblings.findIndex((one) => one.id === data.id);
  const to = other || (data.siblings[(at + 1) % data.siblings.length] || {}).id;
  if (to && to !== data.id) visit(link({ screen: 'pair', trace: data.id, other: to }, keep(VIEW)));
}
function markBar(data, state) {
  return h(
    'section',
    { class: 'card row spread small', 'aria-label': 'Labelling' },
    h(
      'span',
      { class: 'row' },
      h('b', { id: 's1-marked' }, markedWords(data.marks)),
      h('span', { class: 'muted' }, 'y good · p partly · n bad · 1 to 4 choose a stage · i a note'),
    ),
    h(
      'span',
      { class: 'row' },
      readerField(),
      h(
        'button',
        {
          'aria-pressed': state.blind ? 'true' : 'false',
          title: 'Hide what it earned (b)',
          onclick: () => go({ blind: state.blind ? null : 1 }, { replace: true }),
        },
        'Blind',
      ),
      data.siblings.length > 1 && h('button', { title: 'Two siblings (v)', onclick: () => toPair() }, 'Better of two'),
      h(
        'button',
        { disabled: !data.marks.next, title: 'Next to label (.)', onclick: () => toTrace(here.data.marks.next) },
        'Next to label →',
      ),
    ),
  );
}

// Two siblings side by side, without what they earned: which is better, as a whole or in one stage?
const SIDES = ['one', 'two'];
screens.pair = {
  title: () => 'Better of two',
  async load(state) {
    const data = await ask('group', { run: state.run, trace: state.trace || '' });
    const marking = await ask('marks', { run: state.run, trace: data.id, reader: readerName() });
    const one = data.members.find((member) => member.id === data.id);
    const two = data.members.find((member) => member.id === state.other) || data.members.find((m) => m !== one);
    return { ...data, one, two, preferred: marking.preferred };
  },
  draw(data, state) {
    if (!data.two) return [h('h1', {}, 'Better of two'), empty('This completion has no sibling')];
    const said = (stage) =>
      data.preferred.find(
        (one) =>
          one.stage === stage && [data.one.id, data.two.id].every((id) => id === one.better || id === one.worse),
      );
    const choice = (side, stage) => {
      const on = (said(stage) || {}).better === data[side].id;
      return h(
        'button',
        {
          'aria-pressed': on ? 'true' : 'false',
          'data-better': `${side} ${stage}`,
          onclick: () => preferHere(on ? '' : data[side].id, stage),
        },
        stage ? 'better here' : side === 'one' ? '← The left is better' : 'The right is better →',
      );
    };
    return [
      h(
        'div',
        { class: 'crumbs' },
        h('h1', {}, 'Better of two'),
        h('span', { class: 'muted' }, `#${data.one.index} and #${data.two.index} of group ${data.group}`),
        h('span', { class: 'grow' }),
        readerField(),
        h('button', { title: 'Another sibling (.)', onclick: nextPair }, 'Another sibling'),
        a({ screen: 'trace', trace: data.id }, { base: keep(VIEW), class: 'button' }, 'Stage view'),
      ),
      questionCard(data),
      h(
        'div',
        { class: 'pairing' },
        SIDES.map((side) => h('div', {}, choice(side, ''))),
        STAGES.map((stage, i) =>
          SIDES.map((side) =>
            h(
              'section',
              { class: `card stage tight ${stage}`, style: { '--hue': `var(--${stage})` }, 'data-side': side },
              h('header', {}, glyph(stage, data[side].states[stage], false), h('h3', {}, TITLES[stage])),
              h('div', { class: 'prose sm' }, data[side].texts[i] || h('span', { class: 'muted' }, '–')),
              data.one.texts[i] === data.two.texts[i]
                ? h('p', { class: 'small muted' }, 'word for word the same')
                : data[side].texts[i] && h('div', {}, choice(side, stage)),
            ),
          ),
        ),
        SIDES.map((side) => h('section', { class: 'card' }, h('b', {}, 'Answer '), data[side].answer || '–')),
      ),
    ];
  },
  keys: {
    ArrowLeft: () => preferHere(here.data.one.id, ''),
    ArrowRight: () => preferHere(here.data.two && here.data.two.id, ''),
    '.': () => nextPair(),
    u: () => visit(link({ screen: 'trace', trace: here.data.id }, keep(VIEW))),
  },
};
async function preferHere(better, stage) {
  const { one, two } = here.data;
  if (!two) return;
  try {
    await ask('prefer', { run: here.state.run, one: one.id, two: two.id, better, stage, reader: readerName() });
    await show({ quiet: true });
  } catch (error) {
    toast(error.message);
  }
}
function nextPair() {
  const { members, one, two } = here.data;
  const others = members.filter((member) => member !== one);
  const next = others[(others.indexOf(two) + 1) % others.length];
  if (next) go({ other: next.id }, { replace: true });
}

// The judge against the people, the disagreements first.
const agreementTable = (data) =>
  table(
    ['ordered alike', 'judge where good', 'partly', 'bad'],
    data.stages.map((row) => [
      h('span', { class: 'row' }, glyph(row.stage, 'present', false), TITLES[row.stage]),
      [
        h('td', {}, row.auc === null ? '–' : percent(row.auc)),
        row.means.map((mean, i) =>
          h('td', {}, mean === null ? '–' : fixed(mean), h('span', { class: 'small muted' }, ` n ${count(row.n[i])}`)),
        ),
      ],
    ]),
  );
async function downloadLabels(kind, note) {
  note.textContent = 'preparing …';
  try {
    const file = await ask('export_labels', { run: here.state.run, format: kind });
    saveFile(file);
    note.textContent = `${file.name}: ${plural(file.rows, 'row')}`;
  } catch (error) {
    note.textContent = error.message;
  }
}
screens.labels = {
  title: () => 'Labels',
  load: (state) => ask('labels', { run: state.run, judge: state.judge || '', reader: readerName() }),
  draw(data, state) {
    const note = h('p', { class: 'small muted', role: 'status', id: 's1-labels-saved' });
    const begin = data.next
      ? a({ screen: 'trace', trace: data.next, label: 1, blind: 1 }, { class: 'button' }, 'Label the next, blind')
      : h('span', { class: 'muted small' }, 'Everything drawn for labelling has a mark of yours.');
    const judges = select(
      data.judges.map((name) => [name, name]),
      data.judge,
      (judge) => go({ judge }),
    );
    judges.setAttribute('aria-label', 'Judge');
    return [
      h(
        'div',
        { class: 'row spread' },
        h(
          'div',
          { class: 'tight' },
          h('h1', {}, 'Labels'),
          h(
            'p',
            { class: 'muted' },
            'What people say of the stages, and whether the judge that pays for them says the same.',
          ),
        ),
        h('div', { class: 'row' }, readerField(), begin),
      ),
      h(
        'section',
        { class: 'tiles', 'aria-label': 'Figures' },
        data.tiles.map((one) => tile(one)),
      ),
      data.gone > 0 &&
        h('p', { class: 'note plain-note small' }, `${plural(data.gone, 'label')} of completions not found here.`),
      data.judges.length > 0
        ? [
            h(
              'div',
              { class: 'panes' },
              h(
                'section',
                { class: 'card tight' },
                h('div', { class: 'row spread' }, h('h2', {}, 'Judge against people'), judges),
                agreementTable(data),
                h(
                  'p',
                  { class: 'small muted' },
                  'Ordered alike: how often the judge gives a good stage more than a bad one; 50 % is chance.',
                ),
              ),
              h(
                'section',
                { class: 'card tight' },
                h('h2', {}, 'Pairs'),
                data.pairs.length
                  ? forest(data.pairs.map((one) => [one.kind, one, 'cue_encoding']))
                  : h('p', { class: 'muted small' }, 'None yet: mark siblings apart, or the better of two.'),
                h('p', { class: 'small muted' }, 'How often the judge prefers what people prefer; intervals by story.'),
              ),
            ),
            disagreementTable(data),
          ]
        : empty(
            'Nothing labelled yet',
            'Open a completion, press m, and mark its stages with y, p and n.',
            'Completions are drawn at random: marks on what looked odd would say nothing of the rest.',
          ),
      h(
        'section',
        { class: 'card tight' },
        h('h2', {}, 'Take them along'),
        h('p', { class: 'small muted' }, 'Your marks are kept in ', h('code', { class: 'mono' }, data.file)),
        h(
          'div',
          { class: 'row' },
          h('button', { onclick: () => downloadLabels('labels', note) }, 'Labels (JSONL)'),
          h('button', { onclick: () => downloadLabels('pairs', note) }, 'Pairs for a reward model'),
        ),
        note,
      ),
    ];
  },
};
const disagreementTable = (data) =>
  h(
    'section',
    { class: 'card tight' },
    h('h2', {}, 'Where they lie furthest apart'),
    h(
      'div',
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Disagreements' },
      h(
        'table',
        { class: 'grid still' },
        h(
          'thead',
          {},
          h(
            'tr',
            {},
            ['Stage', 'People', 'Judge', 'By', 'Note', 'Reply'].map((title) => h('th', { scope: 'col' }, title)),
          ),
        ),
        h(
          'tbody',
          {},
          data.disagreements.map((row) =>
            h(
              'tr',
              {},
              h('td', { class: 'nowrap' }, glyph(row.stage, 'present', false), ` ${TITLES[row.stage]}`),
              h('td', {}, row.human),
              h('td', { class: 'n' }, fixed(row.judge)),
              h('td', {}, row.by),
              h('td', {}, row.note),
              h(
                'td',
                { class: 'wide' },
                a({ screen: 'trace', trace: row.id, label: 1 }, { class: 'peek' }, row.peek || '(empty)'),
              ),
            ),
          ),
        ),
      ),
    ),
  );
