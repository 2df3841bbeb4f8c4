"""libautovoice as it is built here: the same answers as numpy, from C++ and from CUDA."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from auto_voice.errors import MissingDependency
from auto_voice.kernels import native
from auto_voice.kernels.alignment import maximum_path
from tests.house.house import ROOT

pytestmark = [pytest.mark.needs("cmake", "c++"), pytest.mark.timeout(300)]


def cmake(folder, *options, target="autovoice"):
    """Configure and build native/ in a folder, as `make native` does. What it said."""
    said = ""
    for command in (
        ["cmake", "-S", str(ROOT / "native"), "-B", str(folder), *options],
        ["cmake", "--build", str(folder), "--target", target],
    ):
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        said += done.stdout.decode(errors="replace")
        assert done.returncode == 0, said
    return said


def built(folder):
    return folder / native.BUILT.name


@pytest.fixture(scope="module")
def reference_library(tmp_path_factory):
    """Built without CUDA, as on most machines."""
    folder = tmp_path_factory.mktemp("native")
    said = cmake(folder, "-DAUTOVOICE_CUDA=OFF")
    assert "warning" not in said
    return built(folder)


@pytest.fixture(scope="module")
def cuda_library(tmp_path_factory):
    """Built with CUDA, for one architecture: each more takes its time and shows nothing new."""
    if shutil.which("nvcc") is None:
        pytest.skip("needs nvcc (NVIDIA's CUDA toolkit)")
    folder = tmp_path_factory.mktemp("native-cuda")
    cmake(folder, "-DAUTOVOICE_CUDA=ON", "-DCMAKE_CUDA_ARCHITECTURES=75")
    return built(folder)


@pytest.fixture
def with_library(monkeypatch, reference_library):
    monkeypatch.setenv(native.SETTING, str(reference_library))


def ragged_batches(count):
    """Batches as training has them, small; every third full of ties, every third of infinities."""
    random = np.random.default_rng(2020)
    for index in range(count):
        rows, text, mel = random.integers(1, (6, 40, 90))
        texts = random.integers(1, min(text, mel) + 1, rows)
        mels = np.array([random.integers(tokens, mel + 1) for tokens in texts])
        values = random.normal(-20, 10, (rows, text, mel)).astype(np.float32)
        if index % 3:
            values = np.round(values / 20)
        if index % 3 == 2:
            values[random.random(values.shape) < 0.2] = -np.inf
        yield values, texts, mels


@pytest.mark.slow
@pytest.mark.usefixtures("with_library")
def test_cpp_and_numpy_agree_on_a_thousand_ragged_batches():
    """Frame by frame, whichever of the two training happened to use."""
    for index, batch in enumerate(ragged_batches(1000)):
        expected = maximum_path(*batch, way="numpy")
        assert (maximum_path(*batch, way="native") == expected).all(), f"batch {index}"
        assert (maximum_path(*batch) == expected).all(), f"batch {index}"


@pytest.mark.slow
def test_cuda_and_numpy_agree_on_a_thousand_ragged_batches(monkeypatch, cuda_library):
    """The kernel on a real device."""
    monkeypatch.setenv(native.SETTING, str(cuda_library))
    if not native.library().cuda_devices():
        pytest.skip("needs an NVIDIA GPU")
    for index, batch in enumerate(ragged_batches(1000)):
        expected = maximum_path(*batch, way="numpy")
        assert (maximum_path(*batch, way="cuda") == expected).all(), f"batch {index}"
    # More tokens than a block has threads, and than its shared memory has room for.
    values = np.random.default_rng(1).normal(size=(2, 7000, 7100)).astype(np.float32)
    lengths = [7000, 600], [7100, 7000]
    expected = maximum_path(values, *lengths, way="native")
    assert (maximum_path(values, *lengths, way="cuda") == expected).all()
    with pytest.raises(ValueError, match="row 1 is NaN"):
        maximum_path(np.full((2, 1, 1), [[[0.0]], [[np.nan]]]), [1, 1], [1, 1], way="cuda")


@pytest.mark.usefixtures("with_library")
def test_any_layout_in_memory_gives_the_same():
    """VITS' [B, T_mel, T_text], turned round, and every second cell of something larger."""
    for values, texts, mels in ragged_batches(30):
        expected = maximum_path(values, texts, mels, way="numpy")
        vits = np.ascontiguousarray(values.transpose(0, 2, 1)).transpose(0, 2, 1)
        sparse = np.repeat(np.repeat(values, 2, axis=1), 3, axis=2)[:, ::2, ::3]
        backwards = np.ascontiguousarray(values[:, ::-1, ::-1])[:, ::-1, ::-1]
        packed = np.zeros(values.shape, dtype=[("odd", "i1"), ("value", "<f4")])
        packed["value"] = values
        for layout in (vits, sparse, backwards, packed["value"]):
            assert (maximum_path(layout, texts, mels, way="native") == expected).all()


@pytest.mark.usefixtures("with_library")
def test_cpp_refuses_the_same_values():
    """The first bad row is named; a NaN that no way can reach is none."""
    values = np.zeros((3, 4, 9), dtype=np.float32)
    values[:, 3, 0] = np.nan
    assert maximum_path(values, [4] * 3, [9] * 3, way="native").sum() == 27
    values[1, 1, 4], values[2, 1, 4] = np.inf, np.nan
    for way in ("native", "numpy"):
        with pytest.raises(ValueError, match="row 1 is NaN or infinite"):
            maximum_path(values, [4] * 3, [9] * 3, way=way)


def test_the_field_s_original_agrees(reference_library, monkeypatch):
    """Glow-TTS' own Cython, where its sums are finite: a model trains with ours as with that."""
    spec = importlib.util.find_spec("monotonic_alignment_search")
    if spec is None:
        pytest.skip("needs monotonic-alignment-search, which takes Python 3.10")
    # Its package wants torch, its compiled core does not.
    core = importlib.machinery.PathFinder.find_spec("core", spec.submodule_search_locations)
    core = importlib.util.spec_from_file_location("monotonic_alignment_search.core", core.origin)
    module = importlib.util.module_from_spec(core)
    core.loader.exec_module(module)
    monkeypatch.setenv(native.SETTING, str(reference_library))
    for values, texts, mels in ragged_batches(300):
        if np.isinf(values).any():
            continue
        theirs = np.zeros(values.shape, dtype=np.int32)
        module.maximum_path_c(theirs, values.copy(), texts.astype(np.int32), mels.astype(np.int32))
        assert (maximum_path(values, texts, mels, way="native") == theirs).all()


@pytest.mark.slow
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_sanitizers_find_nothing_in_cpp_nor_in_the_kernel(tmp_path, sanitizers):
    """The kernel runs on the CPU here, a thread of its block a thread, and agrees with the C++."""
    cmake(
        tmp_path,
        "-DAUTOVOICE_CUDA=OFF",
        "-DAUTOVOICE_TESTS=ON",
        f"-DAUTOVOICE_SANITIZE={sanitizers}",
        target="agree",
    )
    done = subprocess.run(
        [str(tmp_path / "agree"), "300"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    said = done.stdout.decode(errors="replace")
    assert done.returncode == 0 and "300 cases agree" in said, said


def test_a_library_with_cuda_works_where_there_is_no_gpu(cuda_library):
    """It loads, says that it finds no device, and aligns on the CPU."""
    env = {**os.environ, native.SETTING: str(cuda_library), "CUDA_VISIBLE_DEVICES": ""}
    program = """
import numpy as np
from auto_voice.errors import MissingDependency
from auto_voice.kernels import native
from auto_voice.kernels.alignment import maximum_path
assert native.library().cuda_devices() == 0
values = np.zeros((1, 2, 3), dtype=np.float32)
assert maximum_path(values, [2], [3]).sum() == 3
try:
    maximum_path(values, [2], [3], way="cuda")
except MissingDependency as error:
    print(error.message)
"""
    done = subprocess.run([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE)
    assert b"finds no CUDA device" in done.stdout


@pytest.mark.usefixtures("with_library")
def test_a_library_without_cuda_says_so():
    assert native.library().cuda_devices() is None
    with pytest.raises(MissingDependency, match="finds no CUDA device"):
        maximum_path(np.zeros((1, 2, 3), np.float32), [2], [3], way="cuda")


def test_the_library_of_another_release_is_refused(tmp_path, monkeypatch):
    """Rather than called with arguments that it understands otherwise."""
    source = tmp_path / "other.c"
    source.write_text("int autovoice_abi(void) { return 99; }\n", encoding="utf-8")
    library = tmp_path / native.BUILT.name
    subprocess.run(["c++", "-shared", "-fPIC", "-xc", source, "-o", library], check=True)
    monkeypatch.setenv(native.SETTING, str(library))
    with pytest.raises(MissingDependency, match="speaks ABI 99"):
        native.library()


def test_the_header_has_the_loader_s_abi():
    text = (ROOT / "native/include/autovoice.h").read_text(encoding="utf-8")
    assert f"#define AUTOVOICE_ABI {native.ABI}\n" in text


def test_installing_puts_library_and_header_where_they_belong(reference_library, tmp_path):
    """What an image's build copies from."""
    folder = reference_library.parent
    command = ["cmake", "--install", folder, "--prefix", tmp_path]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    installed = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    assert installed == {native.BUILT.name, "autovoice.h"}


@pytest.mark.parametrize("way", ["none", "built", "broken"])
def test_doctor_says_what_aligns(way, reference_library, tmp_path):
    """The library and where it is, or numpy, or what is wrong with it."""
    env = {name: value for name, value in os.environ.items() if name != native.SETTING}
    env["AUTOVOICE_PORT"] = "0"
    if way != "none":
        env[native.SETTING] = str(reference_library if way == "built" else tmp_path / "gone.so")
    done = subprocess.run(
        [sys.executable, "-m", "auto_voice", "doctor"], env=env, stdout=subprocess.PIPE
    )
    (line,) = [line for line in done.stdout.decode().splitlines() if "native code" in line]
    if way == "broken":
        assert "FAIL" in line and "gone.so" in line and done.returncode != 0
    elif way == "built":
        assert str(reference_library) in line and "without CUDA" in line
    elif not native.BUILT.is_file():
        assert "numpy" in line and "make native" in line and done.returncode == 0
