#!/usr/bin/python3
"""Writes the recipes of CI.md, and each piece of shell in them, to files: extract.py CI.md FOLDER

A recipe is named by its first line, a comment. Shell within YAML gets the names of its file and its place, and begins with the variables
that its step sets.
"""

import pathlib
import re
import sys

import yaml

# What the expressions of workflows stand for, as shell.
VALUES = {
    "github.token": "token",
    "github.event.pull_request.number": '"$NUMBER"',
    "github.event.workflow_run.head_repository.owner.login": '"$FORK_OWNER"',
    "github.event.workflow_run.head_branch": '"$FORK_BRANCH"',
    "github.event.workflow_run.head_sha": '"$FORK_COMMIT"',
    "github.base_ref && format('origin/{0}...HEAD', github.base_ref) || 'HEAD^'": '"origin/$GITHUB_BASE_REF...HEAD"',
}


def blocks(text):
    for fence in re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.M | re.S):
        language, body = fence.groups()
        named = re.match(r"(?:#|//) (\S+)(?: .*)?\n", body)
        is_name = named and re.search(r"\.(sh|yml)$|^Jenkinsfile$", named[1])
        yield language, named[1] if is_name else None, body


def shell_of(value):
    expression = re.fullmatch(r"\$\{\{ (.*) \}\}", str(value))
    return VALUES[expression[1]] if expression else f"'{value}'"


def exports(env):
    return "".join(f"export {name}={shell_of(value)}\n" for name, value in env.items())


def workflow_scripts(workflow):
    # YAML 1.1 reads the key `on` as true.
    triggers = workflow[True]
    assert "pull_request_target" not in triggers, "the code of forks would run with a token that can write"
    assert workflow["permissions"]["contents"] == "read"
    for job in workflow["jobs"].values():
        steps = job["steps"]
        for step in steps:
            assert re.fullmatch(r"actions/[\w/-]+@v\d+", step.get("uses", "actions/x@v1")), step
        if "workflow_run" in triggers:
            assert all("ref" not in step.get("with", {}) for step in steps), "a fork's code is checked out"
        # The job's cache is replaced: it lies in a home that exists only at GitHub.
        env = {name: value for name, value in job.get("env", {}).items() if name != "PLIMSOLL_CACHE_DIR"}
        runs = [step for step in steps if "run" in step]
        for step in steps[steps.index(runs[0]) + 1 :]:
            assert "!cancelled()" in step["if"], f"after a regression it would not run: {step}"
        yield from (exports({**env, **step.get("env", {})}) + step["run"] for step in runs)


def main(page, folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True)
    unnamed = 0
    for language, name, body in blocks(pathlib.Path(page).read_text()):
        scripts = {}
        if name is None:
            unnamed += 1
            name = f"block-{unnamed}"
            commands = re.findall(r"^\$ (.*)$", body, re.M) if language == "console" else [body]
            if language in ("console", "sh"):
                scripts[f"{name}.sh"] = "\n".join(commands) + "\n"
        file = folder / pathlib.Path(name).name.lstrip(".")
        if language == "yaml" and "workflows" in name:
            for index, script in enumerate(workflow_scripts(yaml.safe_load(body)), 1):
                scripts[f"{file.name}-{index}.sh"] = script
        elif language == "yaml":
            for job, parts in yaml.safe_load(body).items():
                for part in ("before_script", "script", "after_script"):
                    if part in parts:
                        scripts[f"{file.name}-{job}-{part}.sh"] = "\n".join(parts[part]) + "\n"
        elif language == "groovy":
            for index, command in enumerate(re.findall(r"\bsh '([^']*)'", body), 1):
                scripts[f"{file.name}-{index}.sh"] = command + "\n"
        file.write_text(body)
        for script, text in scripts.items():
            (folder / script).write_text(text)


main(*sys.argv[1:])
