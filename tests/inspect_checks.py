"""What Inspect's own library reads in exported logs: python -m tests.inspect_checks FOLDER, in an environment with it.

Prints one JSON object, by file name. Imports nothing of the package, which is not installed there.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path


def main(folder: Path) -> None:
    from inspect_ai.log import list_eval_logs, read_eval_log, read_eval_log_sample, read_eval_log_sample_summaries

    out = {}
    for info in list_eval_logs(str(folder)):
        log, header = read_eval_log(info), read_eval_log(info, header_only=True)
        one = log.samples[0]
        again = read_eval_log_sample(info, id=one.id, epoch=one.epoch)
        out[Path(info.name).name] = {
            "status": header.status,
            "task": header.eval.task,
            "model": header.eval.model,
            "metrics": {name: metric.value for name, metric in header.results.scores[0].metrics.items()},
            "summaries": len(read_eval_log_sample_summaries(info)),
            "again": again.output.completion == one.output.completion,
            "metadata": header.eval.metadata,
            "samples": [
                {
                    "id": sample.id,
                    "epoch": sample.epoch,
                    "input": [[message.role, message.text] for message in sample.input],
                    "choices": sample.choices,
                    "target": sample.target,
                    "completion": sample.output.completion,
                    "stop": sample.output.stop_reason,
                    "tokens": sample.output.usage.output_tokens,
                    "scores": {name: score.value for name, score in sample.scores.items()},
                    "answer": sample.scores["outcome"].answer if "outcome" in sample.scores else None,
                }
                for sample in log.samples
            ],
        }
    print(json.dumps(out))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
