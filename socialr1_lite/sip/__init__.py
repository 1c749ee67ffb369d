"""How a scenario is asked and how a completion is read, in one room, so that prompt and parser cannot drift.

Theory: Social Information Processing, four stages in order [card].
"""

from socialr1_lite.sip.headings import STAGES, TITLES
from socialr1_lite.sip.options import AnswerStyle, letters, option_answer, read_answer
from socialr1_lite.sip.parsing import Reply, Segment, cut_stage, parse, stage_states
from socialr1_lite.sip.prompts import STYLES, Message, prefills_think, render, reply_text, without_control_tokens
from socialr1_lite.sip.settling import settled_option
from socialr1_lite.sip.unmarked import Span, has_words, sentences, thoughts

__all__ = ["STAGES", "STYLES", "TITLES", "AnswerStyle", "Message", "Reply", "Segment", "Span", "cut_stage", "has_words"]
__all__ += ["letters", "option_answer", "parse", "prefills_think", "read_answer", "render", "reply_text", "sentences"]
__all__ += ["settled_option", "stage_states", "thoughts", "without_control_tokens"]
