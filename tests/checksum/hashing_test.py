"""The list: what is in it, and where it goes."""
import os
import re
import shutil
import subprocess

import support


class Hashing(support.ChecksumTest):
    def make_tree(self):
        self.write("empty")
        self.write("small", b"lastly\n")
        self.write("with a space/and more", b"x" * 241)
        self.write("deep/er/and/deeper/file", bytes(range(256)) * 1024)
        self.write("large", os.urandom(3 * 1024 * 1024 + 17))
        os.symlink("small", os.path.join(self.tree, "link"))
        os.symlink("deep", os.path.join(self.tree, "link-to-directory"))
        os.symlink("nowhere", os.path.join(self.tree, "dangling"))
        os.mkfifo(os.path.join(self.tree, "fifo"))
        return ["deep/er/and/deeper/file", "empty", "large", "small", "with a space/and more"]

    def test_list_holds_every_regular_file_sorted_by_path(self):
        names = self.make_tree()
        for workers in ("1", "2", "8"):
            done = self.checksum("--workers", workers, "--output", self.list)
            self.assertEqual((done.code, done.err), (0, ""), done.out)
            self.assertEqual(done.hashed(), len(names))
            self.assertEqual(self.assert_clean(done)["succeeded"], len(names) + 6, "a task each for the directories, too")
            lines = self.read_list()
            self.assertEqual([line[34:] for line in lines], [os.path.join(self.tree, name) for name in names])
            self.assertTrue(all(re.fullmatch(r"[0-9a-f]{32}  ", line[:34]) for line in lines), lines)
            self.assertEqual(lines[1][:32], support.EMPTY_FILE_HASH)

    def test_hashes_agree_with_xxh128sum(self):
        if not shutil.which("xxh128sum"):
            self.skipTest("needs xxh128sum (Debian: xxhash)")
        names = [os.path.join(self.tree, name) for name in self.make_tree()]
        self.checksum("--output", self.list)
        other = subprocess.run(["xxh128sum", *names], capture_output=True, check=True).stdout.decode()
        self.assertEqual(self.read_list(), other.splitlines())

    def test_two_runs_agree_and_other_content_differs(self):
        self.make_tree()
        self.checksum("--output", self.list)
        first = self.read_list()
        self.checksum("--output", self.list, "--workers", "1")
        self.assertEqual(self.read_list(), first)
        self.write("small", b"Lastly\n")
        self.checksum("--output", self.list)
        self.assertEqual([line[34:] for line in self.read_list() if line not in first], [os.path.join(self.tree, "small")])

    def test_print_leaves_standard_output_to_the_list(self):
        self.make_tree()
        done = self.checksum("--print", "--output", self.list)
        self.assertEqual(done.code, 0)
        self.assertEqual(done.out.splitlines(), self.read_list())
        self.assert_clean(done, done.err)

    def test_without_output_no_list_appears(self):
        self.write("a", b"a")
        done = self.checksum()
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertNotIn(self.tree, done.out)
        self.assert_clean(done)

    def test_quiet_says_nothing_when_all_is_well(self):
        self.write("a", b"a")
        done = self.checksum("--quiet", "--output", self.list)
        self.assertEqual((done.code, done.out, done.err), (0, "", ""))
        self.assertEqual(len(self.read_list()), 1)
        self.assertEqual(os.listdir(self.temp), [])

    def test_name_with_a_line_break_stays_on_one_line(self):
        self.write("a\nb\\c")
        self.write("d\\e")
        self.checksum("--output", self.list)
        self.assertEqual(self.read_list(), [f"\\{support.EMPTY_FILE_HASH}  {self.tree}/a\\nb\\\\c", f"{support.EMPTY_FILE_HASH}  {self.tree}/d\\e"])

    def test_own_temporary_directory_in_the_tree_is_left_out(self):
        self.temp = self.tree
        for number in range(300):
            self.write(f"files/{number}")
        done = self.checksum("--output", self.list)
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(len(self.read_list()), 300)
        self.assertEqual(os.listdir(self.tree), ["files"])

    def test_output_replaces_a_file_and_keeps_its_mode(self):
        self.write("a")
        with open(self.list, "w", encoding="ascii") as file:
            file.write("what was there\n")
        os.chmod(self.list, 0o640)
        os.symlink(self.list, self.list + "-link")
        self.assertEqual(self.checksum("--output", self.list + "-link").code, 0)
        self.assertTrue(os.path.islink(self.list + "-link"))
        self.assertEqual(self.read_list(), [f"{support.EMPTY_FILE_HASH}  {self.tree}/a"])
        self.assertEqual(os.stat(self.list).st_mode & 0o777, 0o640)

    def test_works_with_standard_descriptors_closed(self):
        self.write("a")
        done = self.run_command(["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *self.command("--output", self.list)])
        self.assertEqual(done.code, 0)
        self.assert_clean(done)
