"""Plants one fault at a time in a small tree and expects tools/check_layers.py to name it."""

import pathlib
import sys
import tempfile
import unittest
from unittest import mock

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))
import check_layers  # noqa: E402


class CheckLayers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("src/quant/x.hpp", '#pragma once\n#include <vector>\n#include "backend/panel.hpp"\n')
        self.write("src/quant/x.cpp", '#include "quant/x.hpp"\n#include <Eigen/Dense>\n')
        self.write("src/quant/CMakeLists.txt",
                   "btc_add_module(quant\n  SOURCES x.cpp\n  MODULES common backend\n"
                   "  LIBRARIES Eigen3::Eigen)\n")
        self.write("cuda/y.cpp", "#ifdef __CUDACC__\n#endif\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def expect_one(self, *parts):
        problems = check_layers.check_tree(self.root)
        self.assertEqual(len(problems), 1, problems)
        for part in parts:
            self.assertIn(part, problems[0])

    def test_a_good_tree_has_no_problem(self):
        self.assertEqual(check_layers.check_tree(self.root), [])

    def test_an_upward_include_is_named_with_its_line(self):
        self.write("src/quant/z.cpp", '#include <array>\n#include "pipeline/plan.hpp"\n')
        self.expect_one("src/quant/z.cpp:2", "quant may not include pipeline")

    def test_nobody_includes_cuda(self):
        self.write("src/pipeline/z.cpp", '#include "cuda/cuda_check.hpp"\n')
        self.expect_one("pipeline may not include cuda")

    def test_a_link_must_point_down(self):
        self.write("src/io/CMakeLists.txt", "btc_add_module(io\n  SOURCES a.cpp\n  MODULES common pack)\n")
        self.expect_one("src/io/CMakeLists.txt", "io may not link pack")

    def test_foreign_headers_stay_in_their_module(self):
        self.write("src/quant/z.cpp", "#include <yaml-cpp/yaml.h>\n")
        self.expect_one("yaml-cpp/yaml.h", "belongs to config")

    def test_foreign_headers_stay_out_of_headers(self):
        self.write("src/quant/z.hpp", "#include <Eigen/Dense>\n")
        self.expect_one("src/quant/z.hpp:1", "in a header")

    def test_conditional_code_is_refused_outside_cuda(self):
        self.write("src/quant/z.cpp", "int a;\n  #  ifdef BTC_WITH_CUDA\n#endif\n")
        self.expect_one("src/quant/z.cpp:2", "conditional code")

    def test_a_long_file_is_refused(self):
        self.write("src/quant/z.cpp", "\n" * 600)
        self.assertEqual(check_layers.check_tree(self.root), [])
        self.write("src/quant/z.cpp", "\n" * 601)
        self.expect_one("601 lines")

    def test_a_folder_needs_a_name(self):
        self.write("src/quant/utils/z.cpp", "")
        self.expect_one("src/quant/utils", "says nothing")

    def test_an_unknown_module_is_refused(self):
        self.write("src/extra/z.cpp", "")
        self.expect_one("src/extra", "not in the table")

    def test_a_cycle_in_the_table_is_found(self):
        layers = dict(check_layers.LAYERS, common="pipeline")
        with mock.patch.object(check_layers, "LAYERS", layers):
            self.assertIn("cycle", "\n".join(check_layers.check_tree(self.root)))

    def test_this_tree_is_clean(self):
        self.assertEqual(check_layers.check_tree(ROOT), [])


if __name__ == "__main__":
    unittest.main()
