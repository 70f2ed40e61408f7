"""`python -m lab.course.mutation_run 02 [--step 3]`: the checks of each step on each small mistake in it.

A mistake that the checks of its step pass is a survivor. `checks/mutants/NN-name/survivors.toml` lists those
that are as right as the reference, with the reason. Results are kept in the home of the system
(`mutation-NN.jsonl`), so that a run goes on where an earlier one ended; `--again` tries all of them again.
Run it by hand on a running system: one mistake takes 5 to 20 s.
"""

import argparse
import json
import random
import time
import tomllib
from typing import Any

from lab.backends.choice import chosen
from lab.course.exercise import CHECKS, Exercise, exercise
from lab.course.mutants import Stage
from lab.course.mutation import Mutation, mutations
from lab.course.steps import checks_of
from lab.home import Home

SURVIVED, CAUGHT, UNCLEAR, EQUIVALENT = "survived", "caught", "unclear", "equivalent"


def equivalents(lab: Exercise) -> dict[str, str]:
    """The reasons why mistakes are none, by their ids."""
    file = CHECKS / "mutants" / lab.folder.name / "survivors.toml"
    if not file.exists():
        return {}
    table: dict[str, str] = tomllib.loads(file.read_text(encoding="utf-8"))["equivalent"]
    return table


class Run:
    """One lab on the running system."""

    def __init__(self, lab: Exercise, home: Home) -> None:
        self.lab = lab
        self._results = home.root / f"mutation-{lab.number}.jsonl"
        self._stage = Stage(home, chosen(home), lab)
        self._order: dict[int, list[str]] = {}

    def known(self) -> dict[str, dict[str, Any]]:
        """Results of earlier runs, by the ids of the mistakes."""
        lines = self._results.read_text(encoding="utf-8").splitlines() if self._results.exists() else []
        return {found["id"]: found for found in map(json.loads, lines)}

    def forget(self) -> None:
        """Remove the results of earlier runs."""
        self._results.unlink(missing_ok=True)

    def measure(self, step: int) -> None:
        """Run the checks of a step on the reference: they must pass, and the quick ones go first later."""
        self._stage.reference()
        _, verdicts = self._stage.grade("--step", str(step))
        if wrong := [v for v in verdicts if v["outcome"] != "pass"]:
            raise SystemExit(f"The reference does not pass step {step}: {wrong}")
        took: dict[str, float] = {}
        for v in verdicts:
            name = v["check"].partition("[")[0]
            took[name] = took.get(name, 0) + v["seconds"]
        self._order[step] = sorted(checks_of(self.lab, step), key=lambda name: took.get(name, 0))
        quick = ", ".join(f"{name} {took.get(name, 0):.1f} s" for name in self._order[step])
        print(f"step {step}: {quick}", flush=True)

    def judge(self, mistake: Mutation) -> dict[str, Any]:
        """Run the checks of the step until one fails."""
        if mistake.step not in self._order:
            self.measure(mistake.step)
        began = time.monotonic()
        self._stage.reference()
        (self._stage.folder / mistake.piece.file.name).write_text(mistake.text, encoding="utf-8")
        _, verdicts = self._stage.grade("-x", only=self._order[mistake.step])
        failed = [v for v in verdicts if v["outcome"] == "fail"]
        clear = all(v["outcome"] == "pass" for v in verdicts) and len(verdicts) >= len(
            self._order[mistake.step]
        )
        found = {
            "id": mistake.id, "step": mistake.step, "took": round(time.monotonic() - began, 1),
            "result": CAUGHT if failed else SURVIVED if clear else UNCLEAR,
            "by": [v["check"] for v in failed] or [v["lines"] for v in verdicts if v["outcome"] != "pass"],
        }  # fmt: skip
        with self._results.open("a", encoding="utf-8") as out:
            out.write(json.dumps(found) + "\n")
        return found

    def close(self) -> None:
        """Give the system its own code again."""
        self._stage.close()


def score(lab: Exercise, results: list[dict[str, Any]]) -> str:
    """Describe the results by step: how many mistakes that can be noticed were noticed."""
    lines = []
    for step in [*range(1, len(lab.steps) + 1), 0]:
        counted = [found["result"] for found in results if step in (0, found["step"])]
        real = [result for result in counted if result != EQUIVALENT]
        if real:
            where = f"step {step}" if step else f"lab {lab.number}"
            caught = real.count(CAUGHT)
            lines.append(
                f"{where}: {caught} of {len(real)} caught ({caught / len(real):.0%}),"
                f" {real.count(SURVIVED)} survived, {real.count(UNCLEAR)} unclear;"
                f" {counted.count(EQUIVALENT)} are as right as the reference"
            )
    return "\n".join(lines)


def main() -> None:
    """Run the mistakes of a lab, and print the score."""
    parser = argparse.ArgumentParser(prog="python -m lab.course.mutation_run", description=__doc__)
    parser.add_argument("lab")
    parser.add_argument("--step", type=int, action="append", help="only this step; may be repeated")
    parser.add_argument("--only", default="", help="only mistakes whose id contains this text")
    parser.add_argument("--sample", type=int, default=0, help="at most so many, chosen at random")
    parser.add_argument("--again", action="store_true", help="forget the results of earlier runs")
    parser.add_argument("--survivors", action="store_true", help="try those again that were not caught")
    options = parser.parse_args()
    lab, home = exercise(options.lab), Home.from_environment()
    same = equivalents(lab)
    chosen_ones = [
        each for each in mutations(lab)
        if (not options.step or each.step in options.step) and options.only in each.id
    ]  # fmt: skip
    if options.sample:
        chosen_ones = random.Random(1).sample(chosen_ones, min(options.sample, len(chosen_ones)))  # noqa: S311
        chosen_ones.sort(key=lambda each: each.step)
    run = Run(lab, home)
    try:
        if options.again:
            run.forget()
        results = []
        for mistake in chosen_ones:
            found = run.known().get(mistake.id)
            if mistake.id in same:
                found = {"id": mistake.id, "step": mistake.step, "result": EQUIVALENT, "by": []}
            elif found is None or (options.survivors and found["result"] != CAUGHT):
                found = run.judge(mistake)
                print(f"{found['result']:<9} {found['took']:5.1f} s  {mistake.id}  {found['by']}", flush=True)
            results.append(found)
    finally:
        run.close()
    for found in results:
        if found["result"] in (SURVIVED, UNCLEAR):
            print(found["result"], found["id"])
    print(score(lab, results))


if __name__ == "__main__":
    main()
