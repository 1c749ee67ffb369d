"""Which scenarios a run trains on, which it keeps back, and in which order it asks.

    training_scenarios(recipe)        what may be trained on: the held-out ones are not among them
    heldout_scenarios(recipe)         what training never sees
    transfer_scenarios(recipe)        stories of kinds that training never sees
    schedule(scenarios, recipe)       one scenario per prompt group, for the whole run, in order

Sources (`data.source`): `stories`, the engine's own; `tombench-hard`, the training split of ToMBench-Hard; a
local .jsonl, .csv or .parquet file; a hub dataset's id; or several of them by share (`data.sources`). Files and
hub datasets have one row a question, with these columns, or others named in `data.columns` (ours: theirs):

    question      the question (needed)
    story         the situation
    options       a list, in CSV a JSON list; or one column an option: option_a, option_b, ... Letters or numbers of
                  their own ("A. ", "(B) ", "1. ") are taken off, and a gold number then means those
    gold          a 0-based index (also as "0", 1.0 or "[0, 2]" in a CSV), a letter or an option's text, in capitals or
                  not; a list where several are right. Golds that count from 1: `data.gold_from: 1`
    accepted      instead of options: the accepted answers of an open-ended question
    id            unique; "<file>/<line>" where there is none
    dimension, group, source, facts, meta: as in Scenario
"""

from socialr1_lite.data.files import json_lines, read_rows, rows_of
from socialr1_lite.data.leaks import check_source
from socialr1_lite.data.order import schedule
from socialr1_lite.data.sources import (
    heldout_scenarios,
    read_scenario,
    story_key,
    training_scenarios,
    transfer_scenarios,
)

__all__ = ["check_source", "heldout_scenarios", "json_lines", "read_rows", "read_scenario", "rows_of", "schedule"]
__all__ += ["story_key", "training_scenarios", "transfer_scenarios"]
