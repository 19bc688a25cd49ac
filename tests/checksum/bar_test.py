"""The progress bar."""
import re

import support


class Bar(support.ChecksumTest):
    def bars(self, text):
        return [part for part in re.split(r"[\r\n]", text) if part.startswith(("hashing ", "joining "))]

    def test_bar_fits_the_terminal_and_is_wiped(self):
        self.many_files(8, 1 << 27)
        for columns in (30, 60, 80, 200):
            terminal = support.Terminal(self.command(), columns)
            done = terminal.finish()
            self.assertEqual(done.code, 0, done.out)
            self.assert_clean(done)
            drawn = self.bars(done.out)
            self.assertTrue(drawn, "no bar was drawn")
            self.assertLess(max(map(len, drawn)), columns)
            self.assertLessEqual(len(drawn), 10 * terminal.seconds + 2)
            self.assertEqual("[" in drawn[-1], columns >= 60)
            self.assertRegex(drawn[-1], r"\A(hashing|joining) (\[#*\.*\] )?\d+/\d+\+? files")
            self.assertRegex(done.out, r"\r +\r8 files, 1\.0 GiB hashed", "the bar is wiped before the summary")

    def test_no_bar_where_there_is_no_terminal_or_with_quiet(self):
        self.many_files(4, 1 << 27)
        done = self.checksum()
        self.assertEqual((done.code, done.err), (0, ""))
        self.assertEqual(self.bars(done.out), [])
        self.assertEqual(support.Terminal(self.command("--quiet")).finish().out, "")
