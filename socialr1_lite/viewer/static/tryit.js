// Try it: a scenario of one's own, a reply from a model here or from anywhere, parsed and scored at once.
const TRY_POLL_MS = 160;
screens.try = {
  anyRun: true,
  title: () => 'Try it',
  load: (state) => ask('examples', { run: state.run || '', trace: state.trace || '' }),
  draw(data, state) {
    const draftKey = `s1-try ${state.run || ''} ${state.trace || ''}`;
    const first = readDraft(draftKey) || data.chosen || data.scenarios[0];
    let job = null;
    const result = h(
      'div',
      { class: 'stack', id: 's1-result', 'aria-live': 'polite' },
      empty('Nothing scored yet', 'Let a model answer, or paste what any model wrote, and see it stage by stage.'),
    );
    const story = h('textarea', { name: 'story', rows: 7 });
    const question = h('textarea', { name: 'question', rows: 2, style: { 'min-height': '60px' } });
    const options = h('div', { class: 'tight', role: 'group', 'aria-label': 'Options; mark the right one' });
    const reply = h('textarea', {
      name: 'reply',
      rows: 10,
      placeholder: '<think>\nCue Encoding: …\n</think>\n<answer>A</answer>',
    });
    const optionRow = (text, gold) => {
      const row = h(
        'div',
        { class: 'optionrow' },
        h('input', {
          type: 'radio',
          name: 's1-gold',
          checked: gold,
          'aria-label': 'This option is right',
          title: 'the right one',
        }),
        h('span', { class: 'mono muted' }),
        h('input', { type: 'text', value: text, 'aria-label': 'Option' }),
        h(
          'button',
          {
            class: 'plain',
            'aria-label': 'Remove this option',
            onclick: () => {
              row.remove();
              letter_();
              keepDraft();
            },
          },
          '✕',
        ),
      );
      return row;
    };
    const letter_ = () => {
      const rows = options.querySelectorAll('.optionrow');
      rows.forEach((row, i) => {
        row.children[1].textContent = String.fromCharCode(65 + i);
      });
      openEnded.classList.toggle('hidden', rows.length > 0);
    };
    const accepted = h('input', { type: 'text', 'aria-label': 'Accepted answers' });
    const openEnded = h(
      'label',
      { class: 'field' },
      'An open question: accepted answers, with | between them (without one, the outcome is unknown)',
      accepted,
    );
    const fillForm = (scene) => {
      story.value = scene.story;
      question.value = scene.question;
      reply.value = scene.reply || '';
      options.replaceChildren(...scene.options.map((text, i) => optionRow(text, i === scene.gold)));
      accepted.value = (scene.accepted || []).join(' | ');
      letter_();
    };
    fillForm(first);
    const scenarioOf = () => {
      const rows = [...options.querySelectorAll('.optionrow')];
      return {
        story: story.value,
        question: question.value,
        options: rows.map((row) => row.children[2].value),
        gold: Math.max(
          0,
          rows.findIndex((row) => row.children[0].checked),
        ),
        accepted: accepted.value
          .split('|')
          .map((one) => one.trim())
          .filter(Boolean),
      };
    };
    const keepDraft = () => writeDraft(draftKey, { ...scenarioOf(), reply: reply.value });
    const payer = select(
      data.payers.map((one) => [one.key, one.label]),
      data.by,
    );
    const inView = () => result.scrollIntoView({ block: 'nearest' });
    const model = select(
      data.models.map((m) => [m.key, m.label]),
      data.models.length
        ? (data.models.find((m) => data.chosen && m.key === data.chosen.model) || data.models[0]).key
        : '',
      (key) => {
        const run = /^(?:run|best):/.test(key) && key.slice(key.indexOf(':') + 1); // a run's model, its rewards
        if (data.payers.some((one) => one.key === run)) payer.value = run;
      },
    );
    const style = select(
      data.styles.map((x) => [x, x]),
      'sip',
    );
    const numberField = (title, name, value, more) =>
      h('label', { class: 'field' }, title, h('input', { type: 'number', name, value, ...more }));
    const settings = h(
      'div',
      { class: 'row' },
      numberField('Temperature', 'temperature', 0.7, { min: 0, max: 5, step: 0.1, style: { width: '96px' } }),
      numberField('Top p', 'top_p', 1, { min: 0.01, max: 1, step: 0.05, style: { width: '84px' } }),
      numberField('Tokens at most', 'max_new_tokens', 220, { min: 1, max: 4096, style: { width: '110px' } }),
      numberField('Seed', 'seed', 0, { min: 0, style: { width: '84px' } }),
    );
    const value = (name) => Number(settings.querySelector(`[name=${name}]`).value);
    const fail = (error) => result.replaceChildren(h('p', { class: 'note', role: 'alert' }, error.message));
    const shown = (view) => {
      const links = [];
      return [
        h(
          'div',
          { class: 'row spread' },
          h('h2', {}, 'Parsed and scored'),
          h('span', { class: 'row' }, outcomeChip(view.outcome), h('b', { class: 'big' }, fixed(view.total))),
        ),
        h('p', { class: 'small muted', id: 's1-scored-by' }, view.scored_by),
        view.unmarked &&
          h('p', { class: 'note plain-note small' }, 'No stage markers: the stages were recognised by the words used.'),
        view.outside.filter((p) => p.before).map(outsideCard),
        view.cards.map((card) => stageCard(card, links)),
        view.outside.filter((p) => !p.before).map(outsideCard),
        answerCard(view),
        ledger(view),
      ];
    };
    const scoreIt = async () => {
      try {
        const asked = { run: state.trace ? state.run || '' : '', trace: state.trace || '', by: payer.value };
        put_(result, shown(await ask('try_score', { ...scenarioOf(), reply: reply.value, ...asked })));
        inView();
      } catch (error) {
        fail(error);
      }
    };
    const stopButton = h(
      'button',
      {
        class: 'hidden',
        onclick: () => {
          if (job !== null) ask('try_cancel', { job }).catch(fail);
        },
      },
      'Cancel',
    );
    const goButton = h('button', { class: 'primary', disabled: !data.models.length, onclick: generate }, 'Generate');
    async function generate() {
      goButton.disabled = true;
      stopButton.classList.remove('hidden');
      const text = h('pre', { class: 'raw', 'aria-label': 'Reply so far', tabindex: '0' });
      const note = h('p', { class: 'muted small' }, 'starting');
      result.replaceChildren(note, text);
      inView();
      try {
        job = (
          await ask('try_start', {
            ...scenarioOf(),
            model: model.value,
            by: payer.value,
            style: style.value,
            temperature: value('temperature'),
            top_p: value('top_p'),
            max_new_tokens: value('max_new_tokens'),
            seed: value('seed'),
          })
        ).job;
        for (;;) {
          const now = await ask('try_poll', { job });
          if (!result.isConnected) {
            await ask('try_cancel', { job });
            return;
          }
          note.textContent = now.done ? '' : `${now.stage} …`;
          if (text.textContent !== now.text) text.textContent = now.text;
          if (now.done) {
            if (now.failed) throw Object.assign(new Error(now.failed), { expected: true });
            reply.value = now.text;
            keepDraft();
            put_(result, shown(now.view));
            break;
          }
          await new Promise((wake) => setTimeout(wake, TRY_POLL_MS));
        }
      } catch (error) {
        fail(error);
      } finally {
        job = null;
        goButton.disabled = false;
        stopButton.classList.add('hidden');
      }
    }
    const pickStory = select(
      [['', 'a story to begin with …'], ...data.scenarios.map((x, i) => [String(i), x.title])],
      '',
      (i) => {
        if (i !== '') fillForm(data.scenarios[Number(i)]);
        keepDraft();
      },
    );
    pickStory.setAttribute('aria-label', 'A story to begin with');
    return [
      h(
        'div',
        { class: 'tight' },
        h('h1', {}, 'Try it'),
        h('p', { class: 'muted' }, 'Ask a model on this machine, or score what any model wrote.'),
      ),
      h(
        'div',
        { class: 'try' },
        h(
          'section',
          { class: 'card stack', oninput: keepDraft },
          h('div', { class: 'row spread' }, h('h2', {}, 'Scenario'), pickStory),
          h('label', { class: 'field' }, 'Story', story),
          h('label', { class: 'field' }, 'Question', question),
          h(
            'div',
            { class: 'tight' },
            h('h3', {}, 'Options'),
            options,
            openEnded,
            h(
              'div',
              {},
              h(
                'button',
                {
                  class: 'plain',
                  onclick: () => {
                    options.append(optionRow('', false));
                    letter_();
                  },
                },
                '+ option',
              ),
            ),
          ),
          h('h2', {}, 'Let a model answer'),
          data.models.length
            ? [
                h(
                  'div',
                  { class: 'row' },
                  h('label', { class: 'field grow' }, 'Model', model),
                  h('label', { class: 'field' }, 'Prompt', style),
                ),
                settings,
                h('div', { class: 'row' }, goButton, stopButton),
              ]
            : h(
                'p',
                { class: 'note plain-note small' },
                'No model is on offer: train one, or name a local one with --model when starting the viewer.',
              ),
          h('h2', {}, 'Or paste a reply'),
          h('label', { class: 'field' }, 'Reply', reply),
          h('label', { class: 'field' }, 'Scored', payer),
          h('div', {}, h('button', { onclick: scoreIt, id: 's1-score' }, 'Score it')),
        ),
        result,
      ),
    ];
  },
};
// What was typed outlives a look at another screen, and a reload; it stays in this tab.
function readDraft(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key));
  } catch {
    return null;
  }
}
function writeDraft(key, form) {
  try {
    sessionStorage.setItem(key, JSON.stringify(form));
  } catch {
    /* a private window, or too long a text: nothing is kept */
  }
}
const put_ = (node, kids) => {
  node.replaceChildren();
  put(node, [kids]);
};
