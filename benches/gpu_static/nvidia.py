"""What NVIDIA's assembler makes of the kernels, without a card: registers, spills, and the hottest loop.

    cargo bench --bench gpu_static -- --out DIR        writes what this reads
    python benches/gpu_static/nvidia.py DIR [PATTERN…]

naga's MSL is compiled as CUDA (metal.cuh stands in for Metal's library) by NVRTC and ptxas for sm_90, and listed by
nvdisasm. That is NVIDIA's back end behind another front end than the one of its Vulkan driver: registers agree to about a
tenth, mixes of instructions too. Needs the packages nvidia-cuda-nvcc-cu12, nvidia-cuda-nvrtc-cu12 and triton (for nvdisasm)
of PyPI; ALRNN_CUDA names a folder into which their wheels were unpacked, otherwise they are looked for among Python's own.
"""

import ctypes
import fnmatch
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ARCHITECTURE = "90"
# One lane's multiply-adds, and reads of workgroup memory and of memory.
FMA, SHARED, GLOBAL = ("FFMA",), ("LDS",), ("LDG", "LD")


def tools():
    roots = [os.environ["ALRNN_CUDA"]] if "ALRNN_CUDA" in os.environ else sys.path
    wanted = {
        "nvrtc": "nvidia/cuda_nvrtc/lib/libnvrtc.so.12",
        "ptxas": "nvidia/cuda_nvcc/bin/ptxas",
        "nvdisasm": "triton/backends/nvidia/bin/nvdisasm",
    }
    found = {}
    for name, place in wanted.items():
        there = [path for root in roots if (path := pathlib.Path(root or ".") / place).exists()]
        if not there:
            sys.exit(f"NOT RUN: {place} is missing; see the top of {__file__}")
        found[name] = there[0]
        if name != "nvrtc":
            found[name].chmod(0o755)
    return found


def as_cuda(metal):
    """The kernel of one MSL file as CUDA, and its threads."""
    head, threads, parameters, body = re.search(
        r"(.*)\[\[max_total_threads_per_threadgroup\((\d+)\)\]\]\s*kernel void \w+\(\n(.*?)\n\) \{(.*)", metal, re.S
    ).groups()
    kernel, inner, call, shared = [], [], [], []
    for line in parameters.split("\n"):
        text = re.sub(r"\[\[.*?\]\]", "", line).strip(" ,")
        name = text.split()[-1]
        if text.startswith("uint"):  # the invocation's number
            inner.append(text)
            call.append("threadIdx.x")
        elif text.startswith("metal::uint3"):
            inner.append(text)
            call.append("metal::uint3(blockIdx.x, blockIdx.y, 0)" if name == "group" else "metal::uint3(gridDim.x, gridDim.y, 1)")
        else:
            space, kind = re.match(r"(\w+) (.*?)\s*& \w+$", text).groups()
            kind = kind.replace(" const", "")
            inner.append(f"{kind}& {name}")
            if space == "threadgroup":
                shared.append(f"__shared__ {kind} {name};")
                call.append(name)
            else:
                only_read = "const " if space == "constant" or " const&" in text else ""
                inner[-1] = only_read + inner[-1]
                kernel.append(f"{only_read}{kind}* {'__restrict__ ' if only_read else ''}{name}")
                call.append("*" + name)
    head = re.sub(r"#include <(metal_stdlib|simd/simd.h)>|using metal::uint;", "", head)
    # Functions before the kernel are the device's, constants nobody's.
    head = re.sub(r"^((?:metal::)?\w+) (\w+)\(", r"__device__ __forceinline__ \1 \2(", head, flags=re.M)
    head = re.sub(r"\b(device|threadgroup|thread) ", "", re.sub(r"^constant ", "static const ", head, flags=re.M)).replace("constant ", "const ")
    body = re.sub(r"\bthreadgroup (?=\w)", "", body)
    floats = re.compile(r"(?<![\w.])(\d+\.\d+(?:e[-+]?\d+)?)(?![\w.])")
    head, body = floats.sub(r"\1f", head), floats.sub(r"\1f", body)
    # Metal's uint2 and uint4 are not CUDA's.
    vectors = re.compile(r"(?<!metal::)\b((?:u?int|float)[234])\b")
    head, body = vectors.sub(r"metal::\1", head), vectors.sub(r"metal::\1", body)
    text = (HERE / "metal.cuh").read_text() + head
    text += f"__device__ __forceinline__ void body({', '.join(inner)}) {{{body}\n"
    text += f'extern "C" __global__ void __launch_bounds__({threads}) kern({", ".join(kernel)}) {{ '
    return text + " ".join(shared) + f" body({', '.join(call)}); }}\n", int(threads)


def ptx(nvrtc, source):
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    nvrtc.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernel.cu", 0, None, None)
    options = [f"--gpu-architecture=compute_{ARCHITECTURE}".encode(), b"-default-device", b"--std=c++17"]
    failed = nvrtc.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    what = "ProgramLog" if failed else "PTX"
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, text)
    if failed:
        sys.exit("\n".join(line for line in text.value.decode().splitlines() if "error" in line))
    return text.value


def hottest(listing):
    """As in assembly.rs: instructions of the loop that most multiply-adds are spent in, a level deeper being eight turns."""
    lines, labels, loops = [], {}, {}
    for line in listing.splitlines():
        if label := re.match(r"\s*(\.L_x?_?\w+):", line):
            labels[label[1]] = len(lines)
        elif code := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(.*?);", line):
            words = code[1].split()
            lines.append(words[1 if words[0].startswith("@") else 0])
            target = re.search(r"(\.L_x?_?\w+)", code[1])
            if lines[-1].startswith("BRA") and target and target[1] in labels:
                start = labels[target[1]]
                if start < len(lines) - 1:
                    loops[start] = len(lines)
    best = (-1, lines)
    for start, end in loops.items():
        inner = [(a, b) for a, b in loops.items() if (a, b) != (start, end) and start <= a and b <= end]
        depth = sum(a <= start and end <= b for a, b in loops.items() if (a, b) != (start, end))
        own = [lines[at] for at in range(start, end) if not any(a <= at < b for a, b in inner)]
        best = max(best, (count(own, FMA) << 3 * depth, own), key=lambda item: item[0])
    return len(lines), best[1]


def count(lines, kinds):
    return sum(line.split(".")[0] in kinds for line in lines)


def main():
    folder, patterns = pathlib.Path(sys.argv[1]), sys.argv[2:] or ["*"]
    use = tools()
    nvrtc = ctypes.CDLL(str(use["nvrtc"]))
    print("| kernel | threads | registers | spilled bytes | workgroup memory | instructions | hottest loop: instructions |"
          " multiply-adds | instructions each | workgroup reads | memory reads |")
    print("| --- |" + " --- |" * 10)
    with tempfile.TemporaryDirectory() as scratch:
        code, cubin = pathlib.Path(scratch, "kernel.ptx"), pathlib.Path(scratch, "kernel.cubin")
        for file in sorted(folder.glob("*.cuda.metal")):
            name = file.name.removesuffix(".cuda.metal")
            if not any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                continue
            source, threads = as_cuda(file.read_text())
            code.write_bytes(ptx(nvrtc, source))
            said = subprocess.run([use["ptxas"], "-v", f"-arch=sm_{ARCHITECTURE}", "-O3", code, "-o", cubin], capture_output=True, text=True, check=True).stderr
            find = lambda pattern: int((re.search(pattern, said) or [0, 0])[1])
            spilled = find(r"(\d+) bytes spill stores") + find(r"(\d+) bytes spill loads")
            listing = subprocess.run([use["nvdisasm"], "-c", cubin], capture_output=True, text=True, check=True).stdout
            total, loop = hottest(listing)
            adds = count(loop, FMA)
            each = f"{len(loop) / adds:.2f}" if adds else "–"
            registers, memory = find(r"Used (\d+) reg"), find(r"(\d+) bytes smem")
            cells = [name.replace(".", " ", 1), threads, registers, spilled, memory, total, len(loop), adds, each]
            cells += [count(loop, SHARED), count(loop, GLOBAL)]
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
