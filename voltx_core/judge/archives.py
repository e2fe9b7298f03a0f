"""A class-data-sharing archive for javac: its classes loaded and linked once, then only mapped.

Made by compiling a program of our own, so nothing hostile has a part in it; a JVM that cannot use
it does without (``-Xshare:auto``). It spares a third of the CPU time of a small compilation.
"""

import atexit
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

_SAMPLE = """
import java.util.*;
import java.util.function.*;
import java.util.stream.*;

class Sample {
    enum Kind { ONE, TWO }
    record Pair<A, B>(A left, B right) {}
    interface Shape { default double area() { return 0.0; } }
    static class Square implements Shape {
        private final double side;
        Square(double side) { this.side = side; }
        @Override public double area() { return side * side; }
    }
    static <T extends Comparable<T>> T largest(List<T> items) {
        T best = items.get(0);
        for (T item : items) if (item.compareTo(best) > 0) best = item;
        return best;
    }
    static String name(Kind kind) {
        switch (kind) { case ONE: return "one"; default: return "two"; }
    }
    public static void main(String[] arguments) throws Throwable {
        Map<String, Integer> counts = new HashMap<>();
        for (String word : "a b a".split(" ")) counts.merge(word, 1, Integer::sum);
        var sorted = counts.entrySet().stream().filter(e -> e.getValue() > 0)
            .map(e -> e.getKey() + e.getValue()).collect(Collectors.toList());
        Function<Integer, Integer> twice = x -> 2 * x;
        int[][] grid = new int[3][4];
        long total = 0;
        for (int i = 0; i < 3; i++) { grid[i][i % 4] += i; total += grid[i][0] ^ 5L; }
        try { total /= grid.length; } catch (ArithmeticException e) { throw e; }
        finally { total++; }
        while (total > 100) total -= 10;
        StringBuilder text = new StringBuilder().append(new Square(2).area()).append(total);
        assert largest(Arrays.asList(1, 2)) == 2 && !Objects.equals(name(Kind.ONE), "x");
        System.out.println(text + sorted.toString() + twice.apply(2) + new Pair<>(1, "b"));
    }
}
"""


@cache
def folder() -> str:
    """An empty folder that everyone may read, removed when this process ends."""
    path = tempfile.mkdtemp(prefix="voltx-archives-")
    os.chmod(path, 0o755)
    atexit.register(_remove, path, os.getpid())
    return path


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not in a child that was forked
        shutil.rmtree(path, ignore_errors=True)


@cache
def javac_archive(compiler: str, flags: Sequence[str], timeout_s: float = 120.0) -> str:
    """Path of an archive for this compiler under these JVM flags; empty if none can be made.

    Args:
        compiler: absolute path of javac.
        flags: of the JVM, without ``-J``; the archive serves the same flags only.
        timeout_s: wall-clock limit of the trial compilation that makes it.
    """
    archive = Path(folder()) / "javac.jsa"
    with tempfile.TemporaryDirectory(prefix="voltx-sample-") as place:
        source = Path(place) / "Sample.java"
        source.write_text(_SAMPLE, encoding="utf-8")
        made = [f"-J{flag}" for flag in (*flags, f"-XX:ArchiveClassesAtExit={archive}")]
        try:
            subprocess.run(
                [compiler, *made, "-proc:none", "-d", place, str(source)],
                capture_output=True,
                timeout=timeout_s,
                check=True,
            )
            archive.chmod(0o644)
        except (OSError, subprocess.SubprocessError):
            return ""
    return str(archive)
