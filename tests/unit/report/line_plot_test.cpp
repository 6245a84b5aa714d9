#include "report/line_plot.hpp"

#include <gmock/gmock.h>

#include "common/error.hpp"

namespace btc {
namespace {

using ::testing::HasSubstr;

TEST(LinesSvg, DrawsEveryLineBetweenTheCornersOfTheAxes) {
  const std::string svg = lines_svg({.title = "T",
                                     .x_name = "x & more",
                                     .y_name = "y",
                                     .lines = {{"one", {{0, 0}, {6, 3}}}, {"two", {{0, 1.5}}}}});
  EXPECT_THAT(svg, HasSubstr("points=\"80.0,480.0 830.0,50.0 \""));
  EXPECT_THAT(svg, HasSubstr("points=\"80.0,265.0 \""));
  EXPECT_THAT(svg, HasSubstr(">one</text>"));
  EXPECT_THAT(svg, HasSubstr(">two</text>"));
  EXPECT_THAT(svg, HasSubstr("x &amp; more"));
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
}

TEST(LinesSvg, NeedsAPoint) { EXPECT_THROW(lines_svg(LinePlot{}), Error); }

}  // namespace
}  // namespace btc
