// The main screen: one completion, stage by stage.

const VIEW = [...FILTERS, 'sort', 'label', 'blind']; // what goes along from one completion to the next
function localTabs(data, name) {
  const base = keep(VIEW);
  const tab = (screen, title, extra) =>
    a({ screen, ...extra }, { base, 'aria-current': screen === name ? 'page' : null }, title);
  return h(
    'nav',
    { class: 'tabs', 'aria-label': 'Views of this completion' },
    tab('trace', 'Stage view', { trace: data.id }),
    tab('group', `Group of ${data.siblings.length}`, { trace: data.id }),
    tab('prompt', 'Across training', { trace: data.id }),
  );
}

// A piece of text with its marks; cue pieces know which sentence of the story they speak of.
function piece(part, links) {
  const classes = (part.k || []).map((kind) => `piece-${kind}`).join(' ');
  if (!classes && part.cue === undefined) return document.createTextNode(part.t);
  const node = h('span', { class: classes, title: part.why || null }, part.t);
  for (const cue of part.cue || []) {
    links.push([cue, node]);
    node.addEventListener('mouseenter', () => light(links, part.cue, true));
    node.addEventListener('mouseleave', () => light(links, part.cue, false));
  }
  return node;
}
function light(links, cues, on) {
  for (const [cue, node] of links) if (cues.includes(cue)) node.classList.toggle('lit', on);
}

const sceneText = (scene) =>
  [
    scene.story.map((part) => part.t).join(''),
    scene.question,
    scene.options.map((option) => `${option.letter}. ${option.text}`).join('\n'),
  ]
    .filter(Boolean)
    .join('\n\n');
function scenarioPane(data, links) {
  const scene = data.scenario;
  if (!scene)
    return h(
      'section',
      { class: 'card' },
      h('p', { class: 'muted' }, 'The scenario of this completion is not stored in the run folder.'),
      promptOnly(data),
    );
  const story = scene.story.map((part) => {
    const node = h(
      'span',
      {
        class: [part.quoted && 'cue', part.decisive && 'decisive'].filter(Boolean).join(' '),
        title: part.title || null,
      },
      part.t,
    );
    if (part.sentence !== null && part.quoted) {
      links.push([part.sentence, node]);
      node.addEventListener('mouseenter', () => light(links, [part.sentence], true));
      node.addEventListener('mouseleave', () => light(links, [part.sentence], false));
    }
    return node;
  });
  return [
    h(
      'section',
      { class: 'card tight', 'aria-label': 'Scenario' },
      h(
        'div',
        { class: 'chips' },
        scene.dimension && h('span', { class: 'chip' }, scene.dimension),
        scene.meta.map(([key, value]) => h('span', { class: 'chip' }, `${key} ${value}`)),
      ),
      h('div', { class: 'row' }, h('h2', {}, 'The story'), copyButton('story, question and options', sceneText(scene))),
      h('div', { class: 'prose story' }, story),
      scene.legend && h('p', { class: 'small muted' }, scene.legend),
    ),
    h(
      'section',
      { class: 'card tight', 'aria-label': 'Question' },
      h('p', { class: 'prose' }, scene.question),
      h(
        'ul',
        { class: 'options' },
        scene.options.map((option) =>
          h(
            'li',
            {
              class: [option.gold && 'gold', option.chosen && 'chosen', option.chosen && !option.gold && 'miss']
                .filter(Boolean)
                .join(' '),
            },
            h('span', { class: 'letter' }, option.letter),
            h('span', { dir: 'auto' }, option.text),
            h(
              'em',
              {},
              option.gold && h('span', { class: 'right' }, '✓ gold'),
              option.chosen &&
                h('span', { class: option.gold ? 'right' : 'wrong' }, option.gold ? 'chosen' : '✗ chosen'),
            ),
          ),
        ),
      ),
      !scene.options.length && scene.gold_text && h('p', {}, 'Accepted: ', scene.gold_text),
      h('p', { class: 'small muted' }, scene.id),
    ),
  ];
}
const promptOnly = (data) =>
  h(
    'div',
    {},
    data.prompt.map((message) => h('pre', { class: 'raw' }, `${message.role}\n${message.content}`)),
  );

function stageCard(card, links, marking) {
  const bad = !['present'].includes(card.state);
  const quiet = card.state === 'missing';
  return h(
    'section',
    {
      class: `card stage ${card.stage} ${quiet ? 'quiet' : ''}`,
      id: `stage-${card.stage}`,
      style: { '--hue': `var(--${card.stage})` },
      tabindex: '-1',
      'aria-label': `${TITLES[card.stage]}: ${card.state}`,
    },
    h(
      'header',
      {},
      glyph(card.stage, card.state, false),
      h('h3', {}, TITLES[card.stage]),
      card.states.map((state) => h('span', { class: `state ${bad || state !== 'present' ? 'bad' : ''}` }, state)),
      h('span', { class: 'small muted' }, card.words ? plural(card.words, 'word') : ''),
      card.segments.length > 0 &&
        copyButton(
          TITLES[card.stage],
          card.segments.map((one) => one.pieces.map((part) => part.t).join('')).join('\n\n'),
        ),
      h('span', { class: 'grow' }),
      h(
        'span',
        { class: 'small num scores' },
        card.score !== null && h('span', { title: 'What the judge gave this stage' }, `judge ${fixed(card.score)}`),
        card.verdicts.map((verdict) => h('span', { class: 'verdict' }, `${verdict.by}: ${fixed(verdict.score)}`)),
      ),
    ),
    card.verdicts.map((verdict) => verdict.notes.map((line) => h('p', { class: 'why' }, `${verdict.by}: ${line}`))),
    card.segments.map((segment, i) => [
      i > 0 && h('div', { class: 'again' }, segment.note),
      h(
        'div',
        { class: 'prose' },
        markdownOn()
          ? folded([{ t: segment.pieces.map((part) => part.t).join('') }], (part) => markdown(part.t))
          : folded(segment.pieces, (part) => piece(part, links)),
      ),
    ]),
    !card.segments.length && h('p', { class: 'muted' }, card.note),
    card.segments.length > 0 && card.note && h('p', { class: 'small muted' }, card.note),
    card.words > 0 &&
      h(
        'div',
        { class: 'share', title: `${percent(card.share)} of the reasoning` },
        h('i', { style: { width: `${100 * card.share}%` } }),
      ),
    marking && markRow(card.stage, marking),
  );
}
const outsideCard = (part) =>
  h(
    'section',
    { class: 'card quiet outside', 'aria-label': `Outside the stages: ${part.where}` },
    h('header', { class: 'row' }, h('h3', {}, 'Outside the stages'), h('span', { class: 'state bad' }, part.where)),
    h('div', { class: 'prose sm' }, folded([part], (one) => (markdownOn() ? markdown(one.t) : plainly(one)))),
  );

// What a judge that was asked again says of the whole reply.
const verdictNotes = (verdict) =>
  (verdict.failed || verdict.notes.length > 0) &&
  h(
    'div',
    { class: 'tight' },
    h('h3', {}, `${verdict.by}${verdict.failed ? ': it failed' : ''}`),
    verdict.notes.map((line) => h('p', { class: 'why' }, line)),
  );
const failureCard = (error) =>
  h(
    'section',
    { class: 'card tight', 'aria-label': 'No reply' },
    h('h3', {}, 'No reply'),
    h('p', { class: 'note' }, error),
  );

function answerCard(data) {
  return h(
    'section',
    { class: 'card row', 'aria-label': 'Answer' },
    h('h3', {}, 'Answer'),
    data.answer_text
      ? h('span', { class: 'prose' }, data.answer_text)
      : h('span', { class: 'muted' }, data.answer_note),
    h('span', { class: 'grow' }),
    !data.blind && outcomeChip(data.outcome),
  );
}

function ledger(data) {
  const terms = data.ledger;
  return h(
    'section',
    { class: 'card ledger', 'aria-label': 'Reward ledger' },
    h(
      'div',
      { class: 'row spread' },
      h('h2', {}, 'Reward'),
      h('span', { class: 'big', id: 's1-total' }, terms.rows.length ? fixed(data.total) : '–'),
    ),
    terms.rows.map((term) =>
      h(
        'div',
        { class: 'term' },
        h(
          'div',
          { class: 'line' },
          h('span', {}, h('b', {}, term.title), ' ', h('span', { class: 'small muted' }, term.role)),
          h('span', { class: 'num' }, term.value === null ? 'not judged' : fixed(term.value)),
        ),
        h(
          'div',
          { class: 'meter', title: term.mean === null ? null : `group mean ${fixed(term.mean)}` },
          h('i', { style: { width: `${100 * Math.max(0, Math.min(1, term.value || 0))}%` } }),
          term.mean !== null && h('u', { style: { left: `${100 * Math.max(0, Math.min(1, term.mean))}%` } }),
        ),
        h(
          'div',
          { class: 'small muted num' },
          [
            term.contribution !== null && `adds ${signed(term.contribution)}`,
            term.mean !== null && `group ${fixed(term.mean)} ± ${fixed(term.sd)}`,
          ]
            .filter(Boolean)
            .join(' · '),
        ),
        term.parts.length > 0 &&
          h(
            'div',
            { class: 'small muted num' },
            term.parts.map((part) => `${part.name} ${part.value === null ? '–' : fixed(part.value)}`).join(' · '),
          ),
        term.why.map((line) => h('p', { class: 'why' }, line)),
      ),
    ),
    terms.loose.length > 0 &&
      h(
        'div',
        { class: 'tight' },
        h('h3', {}, 'Notes'),
        terms.loose.map((line) => h('p', { class: 'why' }, line)),
      ),
    terms.verdicts.map(verdictNotes),
    h('p', { class: 'formula' }, terms.formula),
    h(
      'div',
      { class: 'chips' },
      terms.rows.length > 0 && h('span', { class: 'chip' }, `τ ${fixed(data.tau)}`),
      terms.rows.length > 0 && h('span', { class: 'chip' }, data.mode),
      data.finish === 'length' && h('span', { class: 'chip warn' }, 'cut at the token limit'),
      data.superseded && h('span', { class: 'chip warn' }, 'superseded by a resume'),
    ),
  );
}
function advantageCard(data) {
  const top = Math.max(...data.siblings.map((x) => Math.abs(x.total || 0)), 1e-9);
  return h(
    'section',
    { class: 'card tight', 'aria-label': 'Advantage in the group' },
    h(
      'div',
      { class: 'row spread' },
      h('h3', {}, 'Advantage in its group'),
      h('b', { class: 'num' }, signed(data.advantage)),
    ),
    data.flat && h('p', { class: 'note small' }, data.flat),
    data.siblings.length > 1 &&
      h(
        'div',
        { class: 'siblings' },
        data.siblings.map((x) =>
          a(
            { screen: 'trace', trace: x.id },
            {
              base: keep(VIEW),
              class: x.id === data.id ? 'here' : '',
              'aria-current': x.id === data.id ? 'true' : null,
              title: `${x.index}: ${fixed(x.total)}, ${x.outcome}`,
              'aria-label': `Sibling ${x.index}: reward ${fixed(x.total)}, ${x.outcome}`,
            },
            h('i', { style: { height: `${Math.max(2, (40 * Math.max(0, x.total || 0)) / top)}px` } }),
            (OUTCOMES[x.outcome] || ['·'])[0],
          ),
        ),
      ),
  );
}
const samplingCard = (data) =>
  h(
    'section',
    { class: 'card tight small muted', 'aria-label': 'How it was made' },
    data.facts.map(([name, value]) =>
      h('div', { class: 'row spread' }, h('span', {}, name), h('span', { class: 'num' }, value)),
    ),
  );

function pagerOf(data) {
  const step = (id, key, sign, label) =>
    h(
      'button',
      { disabled: id === null, title: `${label} (${key})`, 'aria-label': label, onclick: () => toTrace(id) },
      sign,
    );
  return h(
    'div',
    { class: 'pager' },
    step(data.previous, 'k', '←', 'Previous in the filter'),
    h(
      'span',
      { class: 'small muted num', id: 's1-position' },
      data.position === null ? 'outside the filter' : `${count(data.position)} of ${count(data.of)}`,
    ),
    step(data.next, 'j', '→', 'Next in the filter'),
  );
}
// The page of the list that holds this completion; null for the first, and outside the filter.
const PAGE_ROWS = 50;
const pageAt = (data) => (data && data.position > PAGE_ROWS ? Math.ceil(data.position / PAGE_ROWS) : null);
const toTrace = (id) => {
  if (id !== null && id !== undefined) visit(link({ screen: 'trace', trace: id }, keep(VIEW, 'raw')));
};

const askTrace = (state, trace) =>
  askOnce('trace', { run: state.run, trace, sort: state.sort || '', blind: state.blind || '', ...filterOf(state) });

screens.trace = {
  title: (state, data) => (data ? `${data.heading}, stage by stage` : 'Stage view'),
  async load(state) {
    const data = await askTrace(state, state.trace || '');
    if (!state.label) return { ...data, marks: null };
    return { ...data, marks: await marksOf(state, data) };
  },
  draw(data, state) {
    const links = [];
    const middle = data.failure
      ? failureCard(data.failure)
      : data.cards.map((card) => stageCard(card, links, data.marks));
    const left = scenarioPane(data, links);
    return [
      h(
        'div',
        { class: 'crumbs' },
        h('h1', {}, data.heading),
        data.blind ? h('span', { class: 'chip' }, 'blind') : outcomeChip(data.outcome),
        data.flags.map((flag) => h('span', { class: 'chip warn' }, flag.label)),
        h('span', { class: 'grow' }),
        pagerOf(data),
        h('button', { 'aria-pressed': state.raw ? 'true' : 'false', title: 'Raw text (r)', onclick: turnRaw }, 'Raw'),
        markdownButton(),
        a({ screen: 'try', trace: data.id }, { class: 'button' }, 'Try it'),
        h(
          'button',
          { 'aria-pressed': state.label ? 'true' : 'false', title: 'Label (m)', onclick: turnLabel },
          'Label',
        ),
        h('button', { title: 'Copy link (c)', onclick: copyLink }, 'Copy link'),
      ),
      localTabs(data, 'trace'),
      data.marks && markBar(data, state),
      h(
        'div',
        { class: 'stage-view' },
        h('div', { class: 'side', tabindex: '0', role: 'region', 'aria-label': 'What was asked' }, left),
        h(
          'div',
          { class: 'stack' },
          state.raw
            ? rawPane(data)
            : [
                data.unmarked &&
                  h(
                    'p',
                    { class: 'note plain-note small' },
                    'This reply carries no stage markers. ' +
                      'The stages were recognised sentence by sentence, from the words used.',
                  ),
                data.outside.filter((part) => part.before).map(outsideCard),
                middle,
                data.outside.filter((part) => !part.before).map(outsideCard),
                answerCard(data),
              ],
        ),
        h(
          'div',
          { class: 'side ledger-side', tabindex: '0', role: 'region', 'aria-label': 'What it earned' },
          data.blind
            ? h('p', { class: 'note plain-note small' }, 'What it earned is hidden until the stages are marked.')
            : [ledger(data), advantageCard(data)],
          samplingCard(data),
        ),
      ),
    ];
  },
  after(data, state) {
    noteOpened(state.run, data.id);
    if (data.next !== null) askTrace(state, data.next).catch(() => {});
  },
  async live(now) {
    // the completion stays as it is; what comes before and after it may be new
    const drawn = here.data;
    if (now.stamp === drawn.stamp) return;
    const { stamp, previous, next, position, of, earlier, later } = await askTrace(here.state, drawn.id);
    if (here.data !== drawn) return;
    Object.assign(drawn, { stamp, previous, next, position, of, earlier, later });
    const old = main.querySelector('.pager');
    const focused = old.contains(document.activeElement) && document.activeElement.getAttribute('aria-label');
    const fresh = pagerOf(drawn);
    old.replaceWith(fresh);
    if (focused) fresh.querySelector(`[aria-label="${focused}"]`).focus({ preventScroll: true });
  },
  keys: {
    j: () => toTrace(here.data && here.data.next),
    k: () => toTrace(here.data && here.data.previous),
    h: () => sibling(-1),
    l: () => sibling(1),
    '[': () => toTrace(here.data && here.data.earlier),
    ']': () => toTrace(here.data && here.data.later),
    1: () => jump(0),
    2: () => jump(1),
    3: () => jump(2),
    4: () => jump(3),
    r: turnRaw,
    m: turnLabel,
    y: () => markHere('good'),
    p: () => markHere('partly'),
    n: () => markHere('bad'),
    i: () => noteHere(),
    b: () => here.state.label && go({ blind: here.state.blind ? null : 1 }, { replace: true }),
    '.': nextHere,
    v: () => here.state.label && toPair(),
    d: () => visit(link({ screen: 'prompt', trace: here.data.id }, keep(VIEW))),
    g: () => visit(link({ screen: 'group', trace: here.data.id }, keep(VIEW))),
    u: () => visit(link({ screen: 'traces', nth: pageAt(here.data) }, keep(VIEW))),
  },
};
function rawPane(data) {
  return h(
    'section',
    { class: 'card stack', 'aria-label': 'Raw text' },
    h(
      'div',
      { class: 'row spread' },
      h('div', { class: 'row' }, h('h2', {}, 'The completion as generated'), copyButton('completion', data.completion)),
      h('span', { class: 'small muted num' }, `${count(data.tokens)} tokens · ended by ${data.ended_by}`),
    ),
    data.failure && failureCard(data.failure),
    data.prefilled &&
      h('p', { class: 'small muted' }, 'The chat template had already opened the think block in the prompt.'),
    h('pre', { class: 'raw', id: 's1-raw', tabindex: '0' }, folded([{ t: data.completion }], plainly)),
    h(
      'details',
      {},
      h('summary', {}, 'The prompt'),
      copyButton('prompt', data.prompt.map((message) => `${message.role}\n${message.content}`).join('\n\n')),
      promptOnly(data),
    ),
    h(
      'details',
      {},
      h('summary', {}, 'The stored row'),
      copyButton('row', JSON.stringify(data.row, null, 2)),
      h('pre', { class: 'raw', tabindex: '0' }, JSON.stringify(data.row, null, 2)),
    ),
  );
}
function turnRaw() {
  go({ raw: here.state.raw ? null : 1 }, { replace: true });
}
function sibling(by) {
  if (!here.data) return;
  const all = here.data.siblings;
  const at = all.findIndex((x) => x.id === here.data.id);
  const to = all[at + by];
  if (to) toTrace(to.id);
}
function jump(index) {
  const card = root.querySelector(`#stage-${STAGES[index]}`);
  if (card) {
    card.scrollIntoView({
      block: 'start',
      behavior: window.matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth',
    });
    card.focus({ preventScroll: true });
  }
}
