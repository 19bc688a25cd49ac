"""Files that cannot be read, disks that are full: what is said, and that nothing stays behind."""
import os
import resource
import shutil
import subprocess

import support


class Errors(support.ChecksumTest):
    def test_unreadable_file_is_named_once(self):
        self.write("good", b"good")
        os.chmod(self.write("bad", b"bad"), 0)
        os.mkdir(os.path.join(self.tree, "closed"), 0)
        done = self.run_command(self.as_nobody(self.command("--print")))
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err.count("/bad: Permission denied"), 1)
        self.assertIn(f"lastly-checksum: cannot read {self.tree}/bad: Permission denied\n", done.err)
        self.assertIn(f"lastly-checksum: cannot read the directory {self.tree}/closed: Permission denied\n", done.err)
        self.assertEqual([line[34:] for line in done.out.splitlines()], [os.path.join(self.tree, "good")])
        self.assertEqual(self.assert_clean(done, done.err)["failed"], 2)

    def test_at_most_twenty_errors_are_listed(self):
        for number in range(33):
            os.chmod(self.write(f"bad-{number:02}"), 0)
        done = self.run_command(self.as_nobody(self.command()))
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err.count(": Permission denied\n"), 20)
        self.assertTrue(done.err.endswith("lastly-checksum: and 13 more errors like these\n"), done.err)
        self.assertEqual(self.assert_clean(done)["failed"], 33)

    def test_vanished_files(self):
        """One worker hashes the file that it lists last first; the others vanish, or turn into something else, meanwhile."""
        roles = ("gone", "link", "directory", "fifo", "stays")
        done = names = None
        for attempt in range(4):
            for number in range(6):
                self.write(f"file-{number}")
            paths = [entry.path for entry in os.scandir(self.tree)]
            os.truncate(paths[-1], 1 << (30 + attempt))
            names = dict(zip(roles, paths))
            terminal = support.Terminal(self.command("--workers", "1", "--output", self.list))
            seen = terminal.read_until(rb" 0/6 files")     # no +: the walk is over
            process_stopped = seen and terminal.pause()
            for role in ("gone", "link", "directory", "fifo"):
                os.unlink(names[role])
            os.symlink(names["stays"], names["link"])
            os.mkdir(names["directory"])
            os.mkfifo(names["fifo"])
            if process_stopped:
                terminal.resume()
            done = terminal.finish()
            if done.ledger().get("failed") == 4:
                break       # else the machine was too fast: once more, with a bigger file
            shutil.rmtree(self.tree)
            os.mkdir(self.tree)
        self.assertEqual(done.code, 1, done.out)
        for role, why in (("gone", "it vanished after the walk had found it): No such file or directory"),
                          ("link", "it became a symbolic link): Too many levels of symbolic links"),
                          ("directory", "it is a regular file no longer): Is a directory"),
                          ("fifo", "it is a regular file no longer): Invalid argument")):
            self.assertEqual(done.out.count(f"lastly-checksum: cannot read {names[role]} ({why}"), 1, done.out)
        self.assert_clean(done)
        self.assertEqual(done.hashed(), 2)
        self.assertEqual([line[34:] for line in self.read_list()], sorted([names["stays"], paths[-1]]))

    def test_tree_without_files(self):
        os.makedirs(os.path.join(self.tree, "only/directories"))
        done = self.checksum("--output", self.list)
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err, f"lastly-checksum: there is no regular file below {self.tree}: nothing was hashed\n")
        self.assert_clean(done)

    def full_disk(self, done, why):
        self.assertEqual(done.code, 1, done.err)
        self.assertRegex(done.err, rf"cannot write the part file of {self.tree}/file-\d+ in {self.temp}/lastly-checksum-\w+: {why}\n")
        self.assertIn("or choose another directory with --temp\n", done.err)
        self.assertIn("stopped because a part file could not be written: ", done.out)
        ledger = self.assert_clean(done)
        self.assertGreater(ledger["failed"], 0)
        self.assertFalse(os.path.exists(self.list))

    def test_full_disk_under_the_part_files(self):
        self.many_files(500)
        mounted = os.geteuid() == 0 and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=128k", "none", self.temp], capture_output=True, check=False).returncode == 0
        if not mounted:
            self.skipTest("needs to mount a small file system")
        try:
            done = self.checksum("--output", self.list)
            self.full_disk(done, "No space left on device")
        finally:
            subprocess.run(["umount", self.temp], check=True)

    def test_file_size_limit_under_the_part_files(self):
        self.many_files(500)
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))
        self.full_disk(self.checksum("--output", self.list, preexec_fn=limit), "File too large")

    def test_full_disk_under_the_list(self):
        self.many_files(50)
        done = self.checksum("--output", "/dev/full")
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err, "lastly-checksum: cannot write the list to /dev/full: No space left on device\n")
        self.assert_clean(done)
        self.assertEqual(done.hashed(), 50)

    def test_failed_list_leaves_the_old_one(self):
        self.many_files(2000)
        with open(self.list, "w", encoding="ascii") as file:
            file.write("what was there\n")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        done = self.checksum("--output", self.list, preexec_fn=limit)
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err, f"lastly-checksum: cannot write the list to {self.list}: File too large\n")
        self.assert_clean(done)
        self.assertEqual(self.read_list(), ["what was there"])
        self.assertEqual(sorted(os.listdir(self.room)), ["list", "temp", "tree"])

    def test_full_disk_under_standard_output(self):
        self.many_files(3)
        with open("/dev/full", "wb") as full:
            for option in ([], ["--print"]):
                done = subprocess.run(self.command(*option), stdout=full, stderr=subprocess.PIPE, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertIn(b"standard output: No space left on device\n", done.stderr)
                self.assertEqual(os.listdir(self.temp), [])

    def test_reader_that_goes_away(self):
        self.many_files(3000)
        process = subprocess.Popen(self.command("--print"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        err = process.stderr.read().decode()
        self.assertEqual(process.wait(support.LIMIT_SECONDS), 1)
        process.stderr.close()
        self.assertIn("lastly-checksum: cannot write the list to standard output: Broken pipe\n", err)
        self.assert_clean(support.Finished(1, "", err), err)

    def test_too_few_descriptors(self):
        """However few descriptors there are: nothing is left behind, and what was wrong is said, with what to do."""
        self.many_files(60, 1 << 19)
        for number in range(20):
            self.write(f"directory-{number}/file", b"x")
        for most in range(8, 41):
            limit = lambda n=most: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
            with self.subTest(descriptors=most):
                done = self.checksum("--workers", "16", "--output", self.list, preexec_fn=limit)
                if "which does not point to an object of type" in done.err:
                    # This sanitizer opens a pipe to look at memory, takes a lack of descriptors for bad memory, and ends
                    # the program in the midst of its work. Nothing can be cleaned up then.
                    subprocess.run(["rm", "-rf", *(entry.path for entry in os.scandir(self.temp))], check=True)
                    self.skipTest("the vptr sanitizer needs descriptors of its own; address alone does not")
                self.assertEqual(os.listdir(self.temp), [], done.err)
                self.assertIn(done.code, (0, 1), done.err)
                self.assert_clean(done)
                self.assertEqual(done.code == 1, "Too many open files" in done.err, done.err)
                self.assertEqual(done.code == 1, "raise the limit (ulimit -n) or use fewer --workers\n" in done.err, done.err)
                if done.code == 0:
                    self.assertEqual((done.err, done.hashed()), ("", 80))

    def test_hardly_any_descriptor(self):
        """One worker: what fails is the temporary directory, a directory of the tree, a part file; seven are enough."""
        if support.is_sanitized():
            self.skipTest("a sanitizer needs descriptors of its own to start")
        self.many_files(3)
        codes = []
        for most in range(4, 8):
            limit = lambda n=most: resource.setrlimit(resource.RLIMIT_NOFILE, (n, n))
            done = self.checksum("--workers", "1", preexec_fn=limit)
            self.assertEqual(os.listdir(self.temp), [], done.err)
            self.assertEqual(done.code == 1, "Too many open files" in done.err, done.err)
            codes.append(done.code)
        self.assertEqual(codes, [1, 1, 1, 0])

    def test_temporary_directory_that_cannot_be_made(self):
        self.write("a")
        os.chmod(self.temp, 0o555)
        done = self.run_command(self.as_nobody(self.command()))
        self.assertEqual(done.code, 1)
        self.assertEqual(done.err, f"lastly-checksum: cannot make a temporary directory in {self.temp} "
                                   "(choose another with --temp): Permission denied\n")
