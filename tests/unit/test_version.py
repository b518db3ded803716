from virtperf.experiment import version


def test_the_model_version_is_stable_and_names_the_engine():
    first = version.model_version("sim")

    version.model_version.cache_clear()

    assert version.model_version("sim") == first
    assert version.model_version("theory") != first


def test_a_change_of_a_rule_is_another_model(tmp_path, monkeypatch):
    for place in (*version._DECIDE, *version._DATA, "sim"):
        file = tmp_path / place if "." in place else tmp_path / place / "file.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("same")
    monkeypatch.setattr(version, "files", lambda _: tmp_path)
    version.model_version.cache_clear()
    before = version.model_version("sim")

    (tmp_path / "rules" / "file.py").write_text("other")
    version.model_version.cache_clear()
    after = version.model_version("sim")
    version.model_version.cache_clear()

    assert before != after
