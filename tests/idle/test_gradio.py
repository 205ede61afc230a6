"""A Gradio job whose page was closed: no stream is open, its queue reads 0, and the processor alone tells that it works."""

from engines.release import marking
from tests.gradio_app import driving
from tests.waiting import wait_until


def test_a_job_without_a_page_is_not_released_while_it_works(launch, look, pass_time, tmp_path):
    until = tmp_path / "until"
    instance = launch(family="gradio", command=driving.command("{port}", until), health_path="/config")
    pass_time(instance, hours=2)
    driving.click(instance.upstream, {})
    with driving.listening(instance.upstream, {}) as events:
        driving.wait_for(events, "process_starts")
    assert driving.queue_size(instance.upstream) == 0
    use = look(instance, times=3)
    assert (use.why, use.releasing_since) == ("load", None)
    assert "CPU" in use.evidence
    until.touch()
    wait_until(lambda: look(instance, times=2).why == "idle", seconds=30)
    pass_time(instance, seconds=16)
    assert marking.finish(instance.pk)
