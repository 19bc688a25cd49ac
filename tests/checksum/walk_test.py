"""The walk: a directory is a task with a group of its own; deep and wide trees, and directories that cannot be read."""
import os
import subprocess

import support

WORKERS = ("1", "2", "8")


class Walk(support.ChecksumTest):
    def make_deep(self, levels, name):
        """A chain of directories with a file in each; by descriptors, since the path may be too long for one call."""
        at = os.open(self.tree, os.O_RDONLY)
        for _ in range(levels):
            os.close(os.open("file", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at))
            os.mkdir(name, dir_fd=at)
            below = os.open(name, os.O_RDONLY, dir_fd=at)
            os.close(at)
            at = below
        os.close(at)

    def hash_deep(self, levels, name):
        self.make_deep(levels, name)
        for workers in WORKERS:
            done = self.checksum("--workers", workers, "--output", self.list)
            self.assertEqual((done.code, done.err), (0, ""), done.out)
            self.assertEqual(self.assert_clean(done)["succeeded"], 2 * levels + 1)
            lines = self.read_list()
            self.assertEqual(sorted(len(line) for line in lines),
                             [34 + len(self.tree) + level * (len(name) + 1) + len("/file") for level in range(levels)])

    def test_a_thousand_levels(self):
        self.hash_deep(1000, "d")

    def test_paths_longer_than_the_system_takes(self):
        self.hash_deep(120, "a-directory-with-a-name-of-just-over-forty-letters")

    def test_deep_and_out_of_reach_of_descriptors(self):
        """A directory is closed before those below it are opened: the depth costs no descriptor."""
        self.make_deep(300, "d")
        done = self.run_command(["sh", "-c", 'ulimit -n 32; exec "$@"', "sh", *self.command("--workers", "2")])
        self.assertEqual((done.code, done.err), (0, ""), done.out)
        self.assertEqual(self.assert_clean(done)["succeeded"], 601)

    def peak_kib(self, *options):
        process = subprocess.Popen(self.command("--quiet", *options), stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(os.listdir(self.temp), [])
        return usage.ru_maxrss

    def test_a_hundred_thousand_files_in_one_directory(self):
        self.many_files(1000)
        few = self.peak_kib("--workers", "1")
        self.many_files(100_000)
        many = self.peak_kib("--workers", "1")
        if not support.is_sanitized():      # a sanitizer keeps freed memory for a while
            self.assertLess(many - few, 4 * 1024, "neither the files' names nor their tasks are all held at once")
        done = self.checksum("--workers", "8", "--output", self.list)
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(self.assert_clean(done)["succeeded"], 100_001)
        self.assertEqual([line[34:] for line in self.read_list()], [f"{self.tree}/file-{n:05}" for n in range(100_000)])

    def test_many_directories_side_by_side(self):
        for number in range(3000):
            self.write(f"{number % 7}/{number % 50}/{number}/file")
        for workers in WORKERS:
            done = self.checksum("--workers", workers)
            self.assertEqual((done.code, done.err), (0, ""))
            self.assertEqual(done.hashed(), 3000)
            self.assertEqual(self.assert_clean(done)["succeeded"], 3000 + sum(1 for _ in os.walk(self.tree)))

    def test_unreadable_directories_do_not_stop_the_others(self):
        for number in range(40):
            self.write(f"{number:02}/below/file", b"x")
            self.write(f"{number:02}/file", b"y")
        for number in range(0, 40, 4):
            os.chmod(os.path.join(self.tree, f"{number:02}"), 0)
        for number in range(1, 40, 4):
            os.chmod(os.path.join(self.tree, f"{number:02}", "below"), 0)
        for workers in WORKERS:
            done = self.run_command(self.as_nobody(self.command("--workers", workers)))
            self.assertEqual(done.code, 1)
            self.assertEqual(done.err, "".join(sorted(
                [f"lastly-checksum: cannot read the directory {self.tree}/{n:02}: Permission denied\n" for n in range(0, 40, 4)] +
                [f"lastly-checksum: cannot read the directory {self.tree}/{n:02}/below: Permission denied\n" for n in range(1, 40, 4)])))
            self.assertEqual(done.hashed(), 10 + 20 + 20)
            self.assertEqual(self.assert_clean(done)["failed"], 20)
        for number in range(40):
            os.chmod(os.path.join(self.tree, f"{number:02}"), 0o755)
