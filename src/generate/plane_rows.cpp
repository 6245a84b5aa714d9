#include "generate/plane_rows.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <utility>

#include "backend/panel.hpp"
#include "common/half.hpp"
#include "generate/lanes.hpp"

namespace btc {
namespace {

constexpr std::size_t kMaxGroups = 4;
using GroupLanes = std::array<Lanes, kMaxGroups>;

/// Bits of a number below `count`.
std::size_t bits_of(std::size_t count) { return std::bit_width(count - 1); }

std::vector<float> with_room(const std::vector<float>& values) {
  std::vector<float> longer = values;
  longer.resize(values.empty() ? 0 : values.size() + kLanes, 0.0F);
  return longer;
}

/// The group of 16 entries, as masks of its bits.
struct GroupMasks {
  LaneInts low = {};
  LaneInts high = {};
};

Lanes of_group(const GroupLanes& values, const GroupMasks& group, std::size_t planes) {
  Lanes chosen = values[0];
  if (planes > 0) {
    chosen = choose(group.low, values[1], chosen);
  }
  if (planes > 1) {
    chosen = choose(group.high, choose(group.low, values[3], values[2]), chosen);
  }
  return chosen;
}

Lanes with_sign(LaneInts positive, Lanes magnitude) {
  return choose(positive, magnitude, -magnitude);
}

}  // namespace

BitPlanes::BitPlanes(std::size_t rows, std::size_t planes, std::size_t bits)
    : planes_(planes),
      row_bytes_(ceil_div(bits, 8)),
      bytes_(rows * planes * row_bytes_ + sizeof(std::uint32_t), 0) {}

void BitPlanes::set_code(std::size_t i, std::size_t j, std::uint32_t code) {
  for (std::size_t plane = 0; plane < planes_; ++plane) {
    std::uint8_t& byte = bytes_[(i * planes_ + plane) * row_bytes_ + j / 8];
    byte = static_cast<std::uint8_t>(byte | (((code >> plane) & 1U) << (j % 8)));
  }
}

PlaneRows::PlaneRows(const QuantizedLinear& linear)
    : rows_(linear.rows),
      cols_(linear.cols),
      panel_(linear.panel),
      panels_(linear.panels()),
      groups_(linear.groups),
      salient_groups_(linear.salient_groups),
      level_bits_(linear.level_bits),
      mean_(!linear.mu.empty()),
      zeros_(linear.zero.values()),
      group_ratio_(linear.group_ratio),
      alpha_col_(with_room(linear.alpha_col)),
      column_scales_(linear.alpha_col.size() / linear.cols),
      mu_col_(with_room(linear.mu_col)),
      salient_columns_(linear.salient_columns),
      salient_alpha_col_(with_room(linear.salient_alpha_col)) {
  BTC_CHECK(groups_ <= kMaxGroups && salient_groups_ <= kMaxGroups, groups_, " groups");
  store_scales(linear);
  store_planes(linear);
  store_salient(linear);
}

void PlaneRows::store_scales(const QuantizedLinear& linear) {
  const std::array<const Matrix<float>*, 4> parts = {&linear.alpha, &linear.mu,
                                                     &linear.salient_alpha, &linear.salient_mu};
  offsets_.mu = linear.alpha.cols();
  offsets_.salient_alpha = offsets_.mu + linear.mu.cols();
  offsets_.salient_mu = offsets_.salient_alpha + linear.salient_alpha.cols();
  offsets_.total = offsets_.salient_mu + linear.salient_mu.cols();
  scales_.reserve(rows_ * offsets_.total + kLanes);
  for (std::size_t i = 0; i < rows_; ++i) {
    for (const Matrix<float>* part : parts) {
      if (!part->empty()) {
        const auto row = part->row(i);
        std::transform(row.begin(), row.end(), std::back_inserter(scales_), float_to_fp16);
      }
    }
  }
  scales_.resize(scales_.size() + kLanes, 0);
}

void PlaneRows::store_planes(const QuantizedLinear& linear) {
  const std::size_t group_bits = linear.group.empty() ? 0 : bits_of(groups_);
  const auto level_bits = static_cast<std::size_t>(level_bits_);
  planes_ = BitPlanes(rows_, level_bits > 0 ? level_bits : 1 + group_bits, cols_);
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t j = 0; j < cols_; ++j) {
      std::uint32_t code = 0;
      if (level_bits > 0) {
        code = linear.level(i, j);
      } else {
        const std::uint32_t group = group_bits == 0 ? 0 : linear.group(i, j);
        code = (linear.signs.get(i, j) ? 1U : 0U) | (group < groups_ ? group << 1U : 0U);
      }
      planes_.set_code(i, j, code);
    }
  }
}

void PlaneRows::store_salient(const QuantizedLinear& linear) {
  const std::size_t count = salient_columns_.size();
  salient_begin_.assign(panels_ + 1, 0);
  for (std::size_t b = 0; b <= panels_; ++b) {
    const auto first =
        std::lower_bound(salient_columns_.begin(), salient_columns_.end(), b * panel_);
    salient_begin_[b] = static_cast<std::uint32_t>(first - salient_columns_.begin());
  }
  if (count == 0) {
    return;
  }
  salient_planes_ = BitPlanes(rows_, 2 + bits_of(salient_groups_), count);
  for (std::size_t i = 0; i < rows_; ++i) {
    for (std::size_t r = 0; r < count; ++r) {
      const std::size_t column = salient_columns_[r];
      const std::uint32_t code =
          (linear.signs.get(i, column) ? 1U : 0U) | (linear.residual.get(i, r) ? 2U : 0U) |
          (static_cast<std::uint32_t>(salient_group_of(linear, i, column)) << 2U);
      salient_planes_.set_code(i, r, code);
    }
  }
}

std::size_t PlaneRows::bytes() const {
  const std::size_t floats =
      group_ratio_.size() + alpha_col_.size() + mu_col_.size() + salient_alpha_col_.size();
  const std::size_t words = salient_columns_.size() + salient_begin_.size();
  return planes_.bytes() + salient_planes_.bytes() + scales_.size() * sizeof(std::uint16_t) +
         zeros_.size() + floats * sizeof(float) + words * sizeof(std::uint32_t);
}

const float* PlaneRows::decode_scales(std::size_t i, RowScratch& scratch) const {
  float* scales = RowScratch::room(scratch.scales, offsets_.total);
  const std::uint16_t* from = scales_.data() + i * offsets_.total;
  for (std::size_t k = 0; k < offsets_.total; k += kLanes) {
    store_lanes(scales + k, fp16_lanes(load_halves(from + k)));
  }
  return scales;
}

const float* PlaneRows::row(std::size_t i, RowScratch& scratch) const {
  const float* scales = decode_scales(i, scratch);
  float* q = RowScratch::room(scratch.values, cols_);
  // Whole lanes are written: what lies behind the end of a panel is the next panel's to overwrite.
  for (std::size_t b = 0; b < panels_; ++b) {
    if (level_bits_ > 0) {
      decode_levels(i, b, scales, q);
    } else {
      decode_panel(i, b, scales, q);
    }
  }
  for (std::size_t b = 0; !salient_columns_.empty() && b < panels_; ++b) {
    decode_salient(i, b, scales, q);
  }
  return q;
}

void PlaneRows::decode_panel(std::size_t i, std::size_t b, const float* scales, float* q) const {
  const std::size_t end = std::min((b + 1) * panel_, cols_);
  GroupLanes alpha = {};
  GroupLanes mu = {};
  for (std::size_t g = 0; g < groups_; ++g) {
    alpha[g] =
        all_lanes(group_ratio_.empty() ? scales[b * groups_ + g] : scales[b] * group_ratio_[g]);
    mu[g] = all_lanes(mean_ ? scales[offsets_.mu + b * groups_ + g] : 0.0F);
  }
  const std::size_t group_planes = planes_.planes() - 1;
  const std::uint8_t* sign = planes_.row(i, 0);
  const std::uint8_t* low = group_planes > 0 ? planes_.row(i, 1) : sign;
  const std::uint8_t* high = group_planes > 1 ? planes_.row(i, 2) : sign;
  for (std::size_t j = b * panel_; j < end; j += kLanes) {
    const GroupMasks group = {lanes_of_bits(BitPlanes::read(low, j)),
                              lanes_of_bits(BitPlanes::read(high, j))};
    Lanes scale = of_group(alpha, group, group_planes);
    if (column_scales_ == 1) {
      scale *= load_lanes(alpha_col_.data() + j);
    } else if (column_scales_ > 1) {
      GroupLanes columns = {};
      for (std::size_t g = 0; g < groups_; ++g) {
        columns[g] = load_lanes(alpha_col_.data() + g * cols_ + j);
      }
      scale *= of_group(columns, group, group_planes);
    }
    Lanes value = with_sign(lanes_of_bits(BitPlanes::read(sign, j)), scale);
    if (mean_) {
      value += of_group(mu, group, group_planes);
    }
    if (!mu_col_.empty()) {
      value += load_lanes(mu_col_.data() + j);
    }
    store_lanes(q + j, value);
  }
}

void PlaneRows::decode_levels(std::size_t i, std::size_t b, const float* scales, float* q) const {
  const std::size_t end = std::min((b + 1) * panel_, cols_);
  const Lanes alpha = all_lanes(scales[b]);
  const Lanes zero = all_lanes(zeros_[i * panels_ + b]);
  for (std::size_t j = b * panel_; j < end; j += kLanes) {
    Lanes level = {};
    for (int plane = 0; plane < level_bits_; ++plane) {
      const LaneInts bit = lanes_of_bits(planes_.at(i, static_cast<std::size_t>(plane), j));
      level += choose(bit, all_lanes(static_cast<float>(1 << plane)), Lanes{});
    }
    store_lanes(q + j, alpha * (level - zero));
  }
}

void PlaneRows::decode_salient(std::size_t i, std::size_t b, const float* scales, float* q) const {
  const std::size_t count = salient_columns_.size();
  const std::size_t planes = 2 * salient_groups_;
  const std::size_t group_planes = salient_planes_.planes() - 2;
  const float* own = scales + offsets_.salient_alpha + b * planes;
  GroupLanes mu = {};
  for (std::size_t s = 0; mean_ && s < salient_groups_; ++s) {
    mu[s] = all_lanes(scales[offsets_.salient_mu + b * salient_groups_ + s]);
  }
  const std::size_t end = salient_begin_[b + 1];
  for (std::size_t r = salient_begin_[b]; r < end; r += kLanes) {
    GroupMasks group;
    group.low = group_planes > 0 ? lanes_of_bits(salient_planes_.at(i, 2, r)) : LaneInts{};
    group.high = group_planes > 1 ? lanes_of_bits(salient_planes_.at(i, 3, r)) : LaneInts{};
    const auto scale_of_plane = [&](std::size_t second) {
      GroupLanes alpha = {};
      for (std::size_t s = 0; s < salient_groups_; ++s) {
        const std::size_t plane = 2 * s + second;
        alpha[s] = all_lanes(own[plane]);
        if (!salient_alpha_col_.empty()) {
          alpha[s] *= load_lanes(salient_alpha_col_.data() + plane * count + r);
        }
      }
      return of_group(alpha, group, group_planes);
    };
    Lanes value = with_sign(lanes_of_bits(salient_planes_.at(i, 0, r)), scale_of_plane(0)) +
                  with_sign(lanes_of_bits(salient_planes_.at(i, 1, r)), scale_of_plane(1));
    value += of_group(mu, group, group_planes);
    for (std::size_t l = 0; l < std::min(kLanes, end - r); ++l) {
      q[salient_columns_[r + l]] = value[l];
    }
  }
}

}  // namespace btc
