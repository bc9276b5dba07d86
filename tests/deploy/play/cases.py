"""Plays that Ansible and we must do alike: batches, failures, conditions, handlers, tags, check mode."""

from __future__ import annotations

from typing import Any, NamedTuple

HOSTS = """\
[web]
n1
n2
[db]
n3
n4
[web:vars]
role=web
[db:vars]
role=db
[all:vars]
ansible_connection=local
who={{ inventory_hostname }}
"""


class Case(NamedTuple):
    """A playbook, the options that both are given, and hosts that are down."""

    text: str
    options: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it
    down: tuple[str, ...] = ()


def play(keywords: str, *tasks: str, handlers: tuple[str, ...] = (), hosts: str = "n2,n3") -> str:
    """One play in YAML: keywords and tasks in flow style. Two hosts of different groups do for most."""
    more = f", {keywords}" if keywords else ""
    listed = ", ".join(f"{{{task}}}" for task in tasks)
    called = ", ".join(f"{{{handler}}}" for handler in handlers)
    return (
        f"- {{gather_facts: no, hosts: '{hosts}'{more}, tasks: [{listed}], handlers: [{called}]}}\n"
    )


def rolled(keywords: str, *tasks: str, handlers: tuple[str, ...] = ()) -> str:
    """As ``play``, on all four hosts."""
    return play(keywords, *tasks, handlers=handlers, hosts="all")


TRUE = 'command: "true"'


def a(name: str, more: str = TRUE) -> str:
    return f"name: {name}, {more}"


def but(*hosts: str) -> str:
    """A command that fails on those hosts."""
    tests = " -a ".join(f"{{{{ who }}}} != {host}" for host in hosts)
    return f'command: "test {tests}"'


def when(condition: str) -> str:
    return f'{TRUE}, when: "{condition}"'


def true(more: str) -> str:
    return f"{TRUE}, {more}"


CASES = {
    # batches
    "serial": Case(rolled("serial: 3", a("t1"), a("t2"))),
    "serial of a list": Case(rolled("serial: [1, 50%]", a("t1"))),
    "serial from a variable": Case(rolled('vars: {n: 2}, serial: "{{ n }}"', a("t1"))),
    "order": Case(rolled("order: reverse_sorted, serial: 3", a("t1"))),
    "the pattern's order": Case(play("serial: 3", a("t1"), hosts="db,web")),
    "limit": Case(rolled("serial: 1", a("t1")), {"limit": "web,!n2,n4"}),
    # failures
    "a failed host leaves": Case(rolled("", a("t1", but("n2", "n4")), a("t2"))),
    "a failing batch is the last": Case(rolled("serial: 2", a("t1", but("n1", "n2")), a("t2"))),
    "a batch with a survivor is not": Case(rolled("serial: 2", a("t1", but("n1")), a("t2"))),
    "all fail": Case(play("", a("t1", 'command: "false"'), a("t2")) + play("", a("t3"))),
    "later plays go on without them": Case(play("", a("t1", but("n2"))) + play("", a("t2"))),
    "threshold exceeded": Case(
        rolled("max_fail_percentage: 30, serial: 3", a("t1", but("n2")), a("t2"))
    ),
    "threshold met": Case(
        rolled("max_fail_percentage: 50, serial: 2", a("t1", but("n2")), a("t2"))
    ),
    "threshold of nobody": Case(rolled("max_fail_percentage: 0", a("t1", but("n4")), a("t2"))),
    "threshold over tasks": Case(
        rolled("max_fail_percentage: 30", a("t1", but("n1")), a("t2", but("n2")), a("t3"))
    ),
    "threshold in a later batch": Case(
        rolled("max_fail_percentage: 40, serial: [1, 2]", a("t1", but("n3")), a("t2"))
    ),
    "any errors fatal": Case(play("any_errors_fatal: yes", a("t1", but("n2")), a("t2"))),
    "any errors fatal in batches": Case(
        rolled("any_errors_fatal: yes, serial: 2", a("t1", but("n1")), a("t2"))
    ),
    "a fatal task": Case(play("", a("t1", but("n2") + ", any_errors_fatal: yes"), a("t2"))),
    "a fatal failure ignored": Case(
        play("any_errors_fatal: yes", a("t1", but("n2") + ", ignore_errors: yes"), a("t2"))
    ),
    "ignored": Case(play("", a("t1", but("n2") + ", ignore_errors: yes"), a("t2"))),
    "ignored by a variable": Case(
        play("", a("t1", 'command: "false", ignore_errors: "{{ role == \'db\' }}"'), a("t2"))
    ),
    "unreachable": Case(rolled("serial: 2", a("t1"), a("t2")), down=("n2", "n4")),
    "all unreachable": Case(rolled("serial: 2", a("t1")), down=("n1", "n2")),
    "unreachable and failed": Case(rolled("serial: 2", a("t1", but("n1")), a("t2")), down=("n2",)),
    "unreachable ignored": Case(
        play("", a("t1", true("ignore_unreachable: yes")), a("t2")), down=("n2",)
    ),
    # conditions
    "when": Case(
        play("", a("t1", when("role == 'web'")), a("t2", true("when: [true, who != 'n2']")))
    ),
    "when of the undefined": Case(play("", a("t1", when("nowhere == 1")), a("t2"))),
    "when of text": Case(play("", a("t1", true("when: role, ignore_errors: yes")), a("t2"))),
    "undefined in a command": Case(
        play("", a("t1", "command: \"echo {{ nowhere }}\", when: role == 'db'"), a("t2"))
    ),
    "changed when": Case(
        play("", a("t1", true("changed_when: no")), a("t2", true("changed_when: who == 'n2'")))
    ),
    "failed when": Case(
        play(
            "",
            a("t1", 'command: "false", failed_when: no'),
            a("t2", true("failed_when: who == 'n2'")),
            a("t3"),
        )
    ),
    "failed when of the result": Case(
        play(
            "", a("t1", "command: 'echo {{ who }}', register: r, failed_when: \"'n2' in r.stdout\"")
        )
    ),
    "changed when is broken": Case(play("", a("t1", true("changed_when: nowhere")), a("t2"))),
    # register
    "register": Case(
        play(
            "",
            a("t1", but("n2") + ", register: r, ignore_errors: yes"),
            a("t2", when("r is failed")),
            a("t3", when("r.rc == 0 and r is changed")),
        )
    ),
    "register of the skipped": Case(
        play(
            "",
            a("t1", true("register: r, when: role == 'db'")),
            a("t2", when("r is skipped")),
            a("t3", when("r is not skipped and r.rc == 0")),
        )
    ),
    "register lines": Case(
        play(
            "",
            a("t1", 'shell: "echo {{ who }}; echo b; echo c >&2", register: r'),
            a("t2", when("r.stdout_lines == [who, 'b'] and r.stderr == 'c'")),
        )
    ),
    "results are no templates": Case(
        play(
            "",
            a("t1", 'command: "echo {% raw %}{{ who }}{% endraw %}", register: r'),
            a("t2", when("r.stdout[0] == '{'")),
        )
    ),
    "results of others": Case(
        play(
            "",
            a("t1", "command: 'echo {{ who }}', register: r"),
            a("t2", when("hostvars['n3'].r.stdout == 'n3' and hostvars['n4']['role'] == 'db'")),
            a("t3", when("groups['db'] == ['n3', 'n4'] and inventory_hostname in groups.web")),
        )
    ),
    "results in a later play": Case(
        play("", a("t1", true("register: r"))) + play("", a("t2", when("r is changed")))
    ),
    # run once
    "run once": Case(rolled("serial: 2", a("t1", true("run_once: yes")), a("t2"))),
    "run once registers for all": Case(
        play(
            "",
            a("t1", "command: 'echo {{ who }}', run_once: yes, register: r"),
            a("t2", when("r.stdout == 'n2'")),
        )
    ),
    "run once of the first that is left": Case(
        rolled("", a("t1", but("n1")), a("t2", true("run_once: yes")))
    ),
    "run once fails": Case(
        rolled("serial: 2", a("t1", 'command: "false", run_once: yes'), a("t2"))
    ),
    "run once ignored": Case(
        play("", a("t1", 'command: "false", run_once: yes, ignore_errors: yes'), a("t2"))
    ),
    "run once skipped": Case(
        play(
            "",
            a("t1", true("run_once: yes, when: who == 'n3', register: r")),
            a("t2", when("r is skipped")),
        )
    ),
    # handlers
    "handlers": Case(
        rolled("serial: 3", a("t1", true("notify: h1")), a("t2"), handlers=(a("h1"), a("h2")))
    ),
    "handlers in their order": Case(
        play("", a("t1", true("notify: [h2, h1, h2]")), handlers=(a("h1"), a("h2")))
    ),
    "not changed": Case(
        play("", a("t1", true("changed_when: who == 'n2', notify: h1")), handlers=(a("h1"),))
    ),
    "the failed get none": Case(
        play("", a("t1", true("notify: h1")), a("t2", but("n2")), handlers=(a("h1"),))
    ),
    "a handler fails": Case(
        play("serial: 1", a("t1", true("notify: [h1, h2]")), handlers=(a("h1", but("n3")), a("h2")))
    ),
    "a handler notifies": Case(
        play(
            "",
            a("t1", true("notify: h1")),
            handlers=(a("h0"), a("h1", true("notify: [h0, h2]")), a("h2")),
        )
    ),
    "listen": Case(
        play(
            "",
            a("t1", true("notify: all")),
            handlers=(a("h1", true("listen: all")), a("h2"), a("h3", true("listen: [x, all]"))),
        )
    ),
    "flush": Case(
        play(
            "",
            a("t1", true("notify: h1")),
            "meta: flush_handlers",
            a("t2", true("notify: h1")),
            handlers=(a("h1"),),
        )
    ),
    "handler with when": Case(
        play("", a("t1", true("notify: h1")), handlers=(a("h1", when("role == 'db'")),))
    ),
    "handler runs once": Case(
        play("", a("t1", true("notify: h1")), handlers=(a("h1", true("run_once: yes")),))
    ),
    "a template notifies": Case(
        play("", a("t1", true('notify: "{{ role }}"')), handlers=(a("web"), a("db")))
    ),
    "sections": Case(
        f"- gather_facts: no\n  hosts: n2\n  pre_tasks: [{{{a('p', true('notify: h'))}}}]\n"
        f"  tasks: [{{{a('t')}}}]\n  post_tasks: [{{{a('q', true('notify: h'))}}}]\n"
        f"  handlers: [{{{a('h')}}}]\n"
    ),
    "a rule leaves handlers out": Case(
        play(
            "any_errors_fatal: yes",
            a("t1", true("notify: h1")),
            a("t2", but("n2")),
            handlers=(a("h1"),),
        )
    ),
    # tags
    "tags": Case(
        play(
            "",
            a("t1", true("tags: x")),
            a("t2", true("tags: [y]")),
            a("t3"),
            a("t4", true("tags: always")),
        ),
        {"tags": ("x",)},
    ),
    "skip tags": Case(
        play("", a("t1", true("tags: 'x, y'")), a("t2"), a("t3", true("tags: never"))),
        {"skip_tags": ("y",)},
    ),
    "tags of the play": Case(
        play("tags: p", a("t1")) + play("", a("t2"), a("t3", true("tags: q"))), {"tags": ("p", "q")}
    ),
    "tags and handlers": Case(
        play("", a("t1", true("tags: x, notify: h")), handlers=(a("h", true("tags: y")),)),
        {"tags": ("x",)},
    ),
    "start at a task": Case(
        play("", a("t1"), a("t2")) + play("", a("t3")), {"start_at_task": "t2"}
    ),
    # check mode
    "check": Case(
        play(
            "",
            a("t1"),
            a("t2", true("check_mode: no")),
            a("t3", true("register: r")),
            a("t4", when("r is skipped and ansible_check_mode") + ", check_mode: no"),
        ),
        {"check": True},
    ),
    "check of creates": Case(
        play(
            "",
            a("t1", "command: touch x, args: {creates: nowhere}"),
            a("t2", "command: touch x, args: {creates: hosts}"),
            a("t3", "command: rm hosts, args: {removes: hosts}"),
            a("t4", "shell: exit 1"),
            hosts="n2",
        ),
        {"check": True},
    ),
    # commands
    "creates": Case(
        play(
            "",
            a("t1", "command: 'false', args: {creates: h*s}"),
            a("t2", "command: 'touch {{ who }}', args: {creates: '{{ who }}'}"),
            a("t3", "command: 'test -e {{ who }}'"),
        )
    ),
    "removes": Case(
        play(
            "",
            a("t1", "command: 'false', args: {removes: nowhere}"),
            a("t2", "command: 'rm -f x', args: {removes: hosts}"),
            hosts="n2",
        )
    ),
    "argv and stdin": Case(
        play(
            "",
            a("t1", "command: {argv: [grep, -q, a b], stdin: a b}"),
            a("t2", "shell: 'grep -q c', args: {stdin: a b}"),
            hosts="n2",
        )
    ),
    "chdir": Case(play("", a("t1", "shell: 'test $PWD = /', args: {chdir: /}"), hosts="n2")),
    "until": Case(
        play(
            "",
            a(
                "t1",
                'shell: "echo x >> {{ who }}.log; wc -l < {{ who }}.log", register: r, '
                "until: r.stdout | trim == '2', retries: 3, delay: 0",
            ),
            a("t2", when("r.attempts == 2")),
        )
    ),
    "until never": Case(
        play(
            "",
            a(
                "t1",
                true("until: who == 'n2', retries: 1, delay: 0, register: r, ignore_errors: yes"),
            ),
            a("t2", when("r.attempts == 1")),
        )
    ),
    "retries": Case(play("", a("t1", but("n2") + ", retries: 1, delay: 0"), a("t2"))),
    # variables
    "precedence": Case(
        play(
            "vars: {role: play, x: play, e: play}",
            a("t1", when("role == 'play'")),
            a("t2", 'command: "test {{ x }}{{ e }} = taskextra", vars: {x: task, e: task}'),
            a("t3", "command: echo 1, register: x"),
            a("t4", when("x.rc == 0") + ", vars: {x: task}"),
            hosts="n2",
        ),
        {"extra_vars": ("e=extra",)},
    ),
    "lazily": Case(
        play(
            'vars: {a: "{{ b }}", b: "{{ who }}", c: "{{ nowhere }}"}',
            a("t1", when("a == who")),
            a("t2", when("c == 1")),
            hosts="n2",
        )
    ),
    "who is left": Case(
        rolled(
            "serial: 3",
            a("t1", but("n2")),
            a("t2", when("ansible_play_batch == ['n1', 'n3']")),
            a(
                "t3",
                when("ansible_play_hosts | length == 3 and ansible_play_hosts_all | length == 4"),
            ),
        )
    ),
    "omit": Case(
        play(
            "",
            a("t1", "command: {cmd: 'true', chdir: \"{{ nowhere | default(omit) }}\"}"),
            hosts="n2",
        )
    ),
}
