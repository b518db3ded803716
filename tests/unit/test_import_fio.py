"""fio files: what is read from them, what is refused, and the device fitted to them."""

import json
from importlib.resources import files
from pathlib import Path

import pytest

from virtperf.dist import Empirical
from virtperf.errors import ImportFileError, OutputError, ParameterError
from virtperf.importers.fio import import_fio, measured, read, write
from virtperf.importers.fio_fit import fit, software_ns, thinned
from virtperf.scenario import Scenario
from virtperf.theory.formulas import machine_repair

SHIPPED = Path(str(files("virtperf.models"))) / "fio"
QD1, QD32, FOUR = (
    SHIPPED / f"{name}.json"
    for name in ("randread_psync_qd1", "randread_libaio_qd32", "randrw_psync_numjobs4")
)


def fio(iops=1e4, mean=95e3, depth=1, bins=None, side="read", **options):
    """Return a small fio result of one job."""
    seconds = 10
    empty = {"total_ios": 0, "iops": 0.0, "io_bytes": 0}
    clat = {"mean": mean, "max": mean * 3, "percentile": {"50.000000": mean}}
    if bins is None:
        bins = {str(int(mean)): int(iops * seconds)}
    if bins:
        clat["bins"] = bins
    full = {
        "total_ios": int(iops * seconds),
        "iops": iops,
        "io_bytes": int(iops * seconds) * 4096,
        "clat_ns": clat,
        "slat_ns": {"mean": 0.0},
        "lat_ns": {"mean": mean},
    }
    job = {
        "jobname": f"depth{depth}",
        "job options": {
            "bs": "4k",
            "direct": "1",
            "filename": "/dev/x",
            "ioengine": "libaio",
            "iodepth": str(depth),
        }
        | options,
        "job_runtime": seconds * 1000,
        "usr_cpu": 2.0,
        "sys_cpu": 3.0,
        "read": empty,
        "write": empty,
    } | {side: full}
    return {"fio version": "fio-3.33", "jobs": [job]}


def save(folder, data, name="a.json"):
    path = folder / name
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    return path


def test_a_file_is_read_with_its_depth_cpu_time_and_bins():
    (job,) = read(QD32)
    assert (job.jobs, job.depth, job.size, job.engine) == (1, 32, 4096, "libaio")
    assert job.iops == pytest.approx(37_973, abs=1)
    assert job.user_ns == pytest.approx(0.0525 * 6000e6 / 227_876)
    assert job.sides["read"].from_bins
    assert job.sides["read"].latencies.mean == pytest.approx(job.mean_ns, rel=0.001)


def test_group_reporting_is_recognised_as_several_jobs():
    (job,) = read(FOUR)
    assert (job.jobs, job.depth, job.in_flight) == (4, 1, 4)
    assert job.shares["read"] == pytest.approx(0.7, abs=0.01)
    assert job.cpu_ns == pytest.approx((0.02232961 + 0.10452425) * 24_004e6 / 181_587)


def test_separate_entries_of_one_load_are_summed(tmp_path):
    data = fio(numjobs="2")
    data["jobs"] *= 2
    (job,) = read(save(tmp_path, data))
    assert (job.jobs, job.iops) == (2, 2e4)


def test_a_synchronous_engine_keeps_one_request_in_flight(tmp_path):
    (job,) = read(save(tmp_path, fio(depth=16, ioengine="psync")))
    assert job.depth == 1


def test_notes_before_the_json_are_skipped(tmp_path):
    text = "note: both iodepth >= 1 and synchronous I/O engine are selected\n"
    assert read(save(tmp_path, text + json.dumps(fio())))[0].iops == 1e4


def test_plain_json_is_read_by_its_percentiles_and_says_so(tmp_path):
    path = save(tmp_path, fio(bins={}))
    assert not read(path)[0].sides["read"].from_bins
    assert any("percentiles stand for" in line for line in import_fio([path]).assumed)


WHOLE = json.dumps(fio())
REFUSED = [
    ("", "is empty"),
    ("fio: permission denied\n", "holds no JSON"),
    (WHOLE[: len(WHOLE) // 2], "is not complete JSON .* cut short"),
    ('{"benchmarks": []}', "is JSON, but not fio's"),
    (json.dumps(fio(iops=0)), "holds no completed read or write"),
    (json.dumps(fio(bs="4k,8k")), "mixes block sizes"),
    ('{"fio version": "fio-3.33", "jobs": [{}]}', "holds no completed read or write"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_a_file_that_says_nothing_is_refused_with_one_sentence(tmp_path, text, says):
    with pytest.raises(ImportFileError, match=rf"a\.json: {says}") as caught:
        read(save(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ImportFileError, match="cannot be read"):
        read(tmp_path / "none.json")


def test_files_of_another_block_size_or_device_are_refused(tmp_path):
    one = save(tmp_path, fio())
    with pytest.raises(ImportFileError, match="blocks of 8192 bytes"):
        import_fio([one, save(tmp_path, fio(bs="8k"), "b.json")])
    with pytest.raises(ImportFileError, match="another device"):
        import_fio([one, save(tmp_path, fio(filename="/dev/y"), "b.json")])


def test_a_load_that_did_not_keep_its_depth_is_flagged(tmp_path):
    (flag,) = import_fio([save(tmp_path, fio(mean=50e3))]).flags
    assert flag.startswith("a.json: IOPS x mean latency is 0.50, but 1 were in flight")
    assert not import_fio([save(tmp_path, fio(mean=97e3))]).flags


def test_a_limited_rate_is_flagged(tmp_path):
    flags = import_fio([save(tmp_path, fio(rate_iops="100"))]).flags
    assert any("limits its rate" in flag for flag in flags)


def test_only_software_inside_the_latency_is_taken_off(tmp_path):
    (job,) = read(save(tmp_path, fio(mean=98e3)))  # cycle 100 us, CPU 5 us, 2 us of it outside
    assert software_ns(job) == pytest.approx(3_000)


def test_one_device_meets_both_shipped_read_files():
    imported = import_fio([QD1, QD32])
    assert imported.fit.identified
    assert imported.fit.channels == 5
    assert imported.fit.worst < 0.05
    assert not imported.flags


def test_a_known_device_is_found_again(tmp_path):
    """Files made by the formula for 4 channels of 80 us give back 4 channels of 80 us."""
    paths = []
    for depth in (1, 16):
        iops = machine_repair(depth, 5e3, 80e3, 4) * 1e9
        mean = depth / iops * 1e9
        data = fio(iops=iops, mean=mean, depth=depth, bins={str(round(mean)): round(iops * 10)})
        cpu = 5e3 * iops / 1e9 * 100  # 5 us a request
        data["jobs"][0] |= {"usr_cpu": 0.0, "sys_cpu": cpu}
        paths.append(save(tmp_path, data, f"{depth}.json"))
    device = import_fio(paths).fit
    assert device.channels == 4
    assert device.service["read"].mean == pytest.approx(80e3, rel=0.001)
    assert device.worst < 1e-3


def test_one_depth_cannot_tell_channels_and_says_so():
    imported = import_fio([QD32])
    assert not imported.fit.identified
    assert (imported.fit.low, imported.fit.channels, imported.fit.high) == (1, 32, 256)
    assert "cannot tell channels from service time" in imported.assumed[-1]
    (scenario,) = imported.scenarios.values()
    channels = scenario.device["vda"].channels_quantity
    assert (channels.evidence, channels.low, channels.high) == ("assumed", 1, 256)


def test_every_end_of_an_assumed_range_still_meets_the_file():
    (job,) = read(QD32)
    (scenario,) = import_fio([QD32]).scenarios.values()
    for variant in (scenario, *scenario.channel_band().values()):
        device = variant.device["vda"]
        mean, channels = device.service_of("read").mean, int(device.channels_quantity.value)
        predicted = machine_repair(32, job.cpu_ns, mean, channels) * 1e9
        assert predicted == pytest.approx(job.iops, rel=1e-4)


def test_given_channels_are_kept():
    imported = import_fio([QD1, QD32], channels=8)
    assert imported.fit.channels == 8
    assert "were given" in imported.assumed[-1]
    with pytest.raises(ParameterError, match="channels must be from 1 to 256"):
        import_fio([QD1], channels=0)


def test_a_direction_no_file_holds_takes_the_others_and_is_marked():
    imported = import_fio([QD1, QD32])
    device = next(iter(imported.scenarios.values())).device["vda"]
    assert device.service.read == device.service.write
    assert "no file holds writes: they take the service times of reads" in device.assumed


def test_reads_and_writes_keep_their_own_service_times():
    device = fit(read(FOUR))
    assert device.service["read"].mean < device.service["write"].mean


def test_thinning_keeps_mean_tail_and_quantiles():
    (job,) = read(QD1)
    full = job.sides["read"].latencies
    few = thinned(full)
    assert len(few.values) == 200
    assert few.mean == pytest.approx(full.mean, rel=1e-12)
    assert few.values[-10:] == full.values[-10:]
    for q in (0.1, 0.5, 0.9, 0.99, 0.999):
        assert few.quantile(q) == pytest.approx(full.quantile(q), rel=0.03)
    assert thinned(Empirical((1.0, 2.0), (1.0, 1.0))) == Empirical((1.0, 2.0), (1.0, 1.0))


def test_the_scenario_holds_the_load_of_the_file():
    one, deep = import_fio([QD1, QD32], platform="toy").scenarios.values()
    assert (one.name, one.platform, one.host.pcpus) == ("randread_psync_qd1", "toy", 4)
    (vm,) = deep.vm
    assert (vm.cpu.technique, vm.disk.technique) == ("direct", "native")
    assert (vm.load.kind, vm.load.outstanding, vm.load.mix) == ("closed", 32, {"read": 1.0})
    assert vm.load.cpu_kernel.source == "fio sys_cpu of randread_libaio_qd32.json"


def test_what_is_written_is_what_was_imported(tmp_path):
    imported = import_fio([QD1, QD32])
    paths = write(imported, tmp_path / "disk.toml")
    assert [path.name for path in paths] == ["disk.toml", "disk-randread_libaio_qd32.toml"]
    for path, scenario in zip(paths, imported.scenarios.values(), strict=True):
        assert Scenario.load(path).to_dict() == scenario.to_dict()


def test_an_unwritable_output_is_one_clear_message(tmp_path):
    with pytest.raises(OutputError, match="cannot be written: No such file or directory"):
        write(import_fio([QD1]), tmp_path / "missing" / "disk.toml")


@pytest.mark.parametrize(("name", "at"), [("first-light", 0), ("first-light-qd32", 1)])
def test_the_shipped_example_is_the_import_of_the_shipped_files(name, at):
    imported = list(import_fio([QD1, QD32]).scenarios.values())[at]
    assert Scenario.load(name).to_dict() == imported.to_dict()


def test_the_measured_latencies_of_a_file_are_its_percentiles():
    seen = measured(QD1)
    percentiles = json.loads(QD1.read_text())["jobs"][0]["read"]["clat_ns"]["percentile"]
    assert seen["iops"] == pytest.approx(6_009, abs=1)
    assert seen["p50"] == pytest.approx(percentiles["50.000000"], rel=0.02)
    assert seen["p99"] == pytest.approx(percentiles["99.000000"], rel=0.02)
