"""Work that no requester waits for."""

from collections.abc import Callable

from mainstay.model.system import System

Link = Callable[[dict[str, str]], System]


def jobs(system: System) -> set[tuple[str, str]]:
    return {(job.function, job.trigger) for job in system.jobs}


def test_tasks_and_redelivery(link: Link) -> None:
    system = link(
        {
            "tasks.py": """
                from celery import Celery, shared_task
                app = Celery("shop")
                @app.task
                def one(): ...
                @shared_task(acks_late=True)
                def two(): ...
                def helper(): ...
            """
        }
    )
    assert jobs(system) == {("tasks.one", "task"), ("tasks.two", "task")}


def test_a_thread_that_never_ends_is_a_worker(link: Link) -> None:
    system = link(
        {
            "work.py": """
                import threading
                def forever():
                    while True:
                        step()
                def until_stopped(stop):
                    while not stop.is_set():
                        step()
                def step(): ...
                def start(stop):
                    threading.Thread(target=forever).start()
                    threading.Thread(target=until_stopped, args=(stop,)).start()
                    threading.Thread(target=step).start()
            """
        }
    )
    assert jobs(system) == {("work.forever", "worker"), ("work.until_stopped", "worker")}


def test_commands_and_main_loops(link: Link) -> None:
    system = link(
        {
            "shop/management/commands/sweep.py": """
                from django.core.management.base import BaseCommand
                class Command(BaseCommand):
                    def handle(self, *args, **options): ...
            """,
            "relay.py": """
                def main():
                    while True:
                        pass
                def once(): ...
                if __name__ == "__main__":
                    main()
                    once()
            """,
        }
    )
    assert {(f.rpartition(".")[2], t) for f, t in jobs(system)} == {("handle", "command"), ("main", "worker")}
