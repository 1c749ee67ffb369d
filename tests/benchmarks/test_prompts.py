"""The authors' prompts, letter for letter, on invented items (their own code gave the expected texts)."""

from __future__ import annotations

from pathlib import Path

from socialr1_lite.benchmarks import BENCHMARKS
from socialr1_lite.benchmarks.base import Ask, display

FIXTURES = Path(__file__).parent.parent / "fixtures" / "benchmarks"


def ask(name: str, item: str, order: tuple[int, ...] | None = None) -> Ask:
    made = {one.scenario.id: one for one in BENCHMARKS[name].load(FIXTURES).items}[f"{name}/{item}"]
    return display(made, order or range(len(made.scenario.options)), "")


def prompt(name: str, one: Ask, *, cot: bool = False) -> list[str]:
    make = BENCHMARKS[name].prompt
    assert make is not None
    return [message["content"] for message in make(one, cot)]


def test_tombench() -> None:
    system, user = prompt("tombench", ask("tombench", "False Belief Task/2/en", (1, 0, 2, 3)))
    assert system.startswith("Below is a multiple-choice question with a story and serveral answer options.")
    assert user == (
        "[Story]\nMara puts her kite in the shed and goes to lunch. Tomas carries the kite to the garage.\n\n"
        "[Question]\nWhere will Mara look for the kite?\n\n"
        "[Candidate Answers]\nA. Shed\nB. Garage\nC. A loft\nD. Garden"
    )
    assert (
        "Again, you must first output the results of step-by-step reasoning"
        in prompt("tombench", ask("tombench", "False Belief Task/2/en"), cot=True)[0]
    )
    assert prompt("tombench", ask("tombench", "False Belief Task/3/zh"))[1].endswith("[答案选项]\nA. 有\nB. 没有")


def test_simpletom_keeps_the_authors_spaces() -> None:
    one = ask("simpletom", "salt_jar_sev1_judge", (1, 0))
    (_, user) = prompt("simpletom", one)
    assert user == (
        "Given the following story, answer the question by giving the correct answer choice, (A) or (B).\n\n"
        "Story:\nThe sugar jar holds salt. Pia takes the jar to her tea.\n\n"
        'Question: Next, Pia "put it in her tea" and not "throw it away". The behavior of Pia can be best described as:  \n'
        "(A) Reasonable \n(B) Not reasonable\n\n"
        'What is the correct answer? Respond with just "(A)" or "(B)"\n'
    )
    assert 'followed by  "(A)" or "(B)"' in prompt("simpletom", one, cot=True)[1]


def test_emobench_asks_for_json() -> None:
    bench = BENCHMARKS["emobench"]
    asks = bench.asks(bench.load(FIXTURES).items, 0, True)
    system, user = prompt("emobench", asks[2])
    assert system.endswith(
        '```json\n    {\n    "answer_q1": "<Respond to the Question 1 with the corresponding letter numbering>",\n'
        '"answer_q2": "<Respond to the Question 2 with the corresponding letter numbering>"\n\n    }\n``` \n    '
    )
    assert user == (
        "## Scenario\nOskar lost his dog, then heard it bark at the door.\n\n"
        "## Question 1\nWhat emotion(s) would Oskar ultimately feel in this situation?\n\n"
        "## Choices for Question 1\nA) Relief\nB) Anger\nC) Shame\nD) Boredom\nE) Envy\nF) Disgust\n\n"
        "## Question 2\nWhy would Oskar feel these emotions in this situation?\n\n"
        "## Choices for Question 2\nA) The dog came back\nB) The door is loud\nC) He dislikes dogs\nD) It is late\n"
    )
    assert (
        "## Question \nIn this scenario, what is the most effective Action for Ines?\n"
        in prompt("emobench", asks[0])[1]
    )


def test_motivebench_prints_a_python_list() -> None:
    system, user = prompt("motivebench", ask("motivebench", "Blog/0/1", (5, 4, 3, 2, 1, 0)))
    assert system == "You ara a helpful AI assistant."
    assert user == (
        "The following is a Motivational Reasoning Question. Based on the content of the given question, please infer "
        "the most likely answer and output the answer index.\n\n"
        "Nora waters the neighbour's plants every day. Why?\n"
        "Options: ['A. To hide', 'B. To sleep', 'C. To get wet', 'D. To win a prize', 'E. To steal', 'F. To help']\n\n"
        "Please answer this multiple-choice question. The result can only return **one character without any other "
        "explanation**."
    )


def test_hitom_carries_the_note_it_cannot_be_answered_without() -> None:
    (user,) = prompt("hi-tom", ask("hi-tom", "1"))
    assert user.startswith(
        "Read the following story and answer the multiple-choice question. Please provide answer without explanations.\n"
        "Story:\n1 Ida and Jon entered the hall.\n"
    )
    assert (
        "4 Jon moved the fig to the blue_crate.\nQuestion: Where does Ida really think the fig is?\n"
        "Choices: A. red_box, B. blue_crate, C. green_bucket\n\nNote: You should assume the following. (1) An agent"
    ) in user


def test_tactfultom_numbers_options_and_shows_the_target() -> None:
    assert prompt("tactfultom", ask("tactfultom", "9-0-0-0-belief-1", (1, 0)))[1].endswith(
        "# Question:\nWhat does Ada think Bo believes?\n\n"
        "# Options:\n1. Ada thinks that Bo is angry.\n2. Ada thinks that Bo is pleased.\n\n"
    )
    system, user = prompt("tactfultom", ask("tactfultom", "9-0-0-0-info_access_binary-0"))
    assert "ONLY include 'Yes' or 'No'" in system
    assert user.endswith(
        "# Information:\nAda finds the hat dreadful\n\n# Question:\nDoes Bo know this information?\n\n"
    )
    assert (
        "# Target Question:\nWas what Ada told Bo true?\n\n"
        in prompt("tactfultom", ask("tactfultom", "9-0-0-0-liedetect_list-0"))[1]
    )


def test_fantom_questions() -> None:
    context = "Eva: My cat is called Plum, Gus.\nFin: I am back.\n\n"
    assert prompt("fantom", ask("fantom", "1-0-0/fact")) == [
        f"{context}Question: What is the name of Eva's cat?\nAnswer:"
    ]
    assert prompt("fantom", ask("fantom", "1-0-0/belief0/choice", (1, 0))) == [
        f"{context}Question: What does Fin believe is the name of Eva's cat?\n"
        "(a) Fin believes that the name of Eva's cat is Plum.\n(b) Fin does not know the name of the cat.\n\n"
        "Choose an answer from above:"
    ]
    assert prompt("fantom", ask("fantom", "1-0-0/answerability/1")) == [
        f"{context}Target: What is the name of Eva's cat?\n"
        "Question: Does Fin know the precise correct answer to this question? Answer yes or no.\nAnswer:"
    ]
    assert prompt("fantom", ask("fantom", "1-0-0/info_accessibility/list")) == [
        f"{context}Information: What is the name of Eva's cat? The name of Eva's cat is Plum.\n"
        "Question: List all the characters who know this information.\nAnswer:"
    ]
