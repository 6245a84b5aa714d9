#include "model/rotary.hpp"

#include <cmath>
#include <numbers>

namespace btc {

namespace {

double scale_llama3(double frequency, const Llama3Rope& rope) {
  const double wave_length = 2.0 * std::numbers::pi / frequency;
  if (wave_length < rope.original_max_position / rope.high_freq_factor) {
    return frequency;
  }
  if (wave_length > rope.original_max_position / rope.low_freq_factor) {
    return frequency / rope.factor;
  }
  const double smooth = (rope.original_max_position / wave_length - rope.low_freq_factor) /
                        (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
}

}  // namespace

std::vector<float> rotary_frequencies(const ModelConfig& config) {
  std::vector<float> frequencies(config.head_dim / 2);
  for (std::size_t i = 0; i < frequencies.size(); ++i) {
    const double exponent = 2.0 * static_cast<double>(i) / static_cast<double>(config.head_dim);
    const double frequency = std::pow(config.rope_theta, -exponent);
    frequencies[i] = static_cast<float>(
        config.llama3_rope ? scale_llama3(frequency, *config.llama3_rope) : frequency);
  }
  return frequencies;
}

RotaryTable rotary_table(const ModelConfig& config, std::size_t positions) {
  const std::vector<float> frequencies = rotary_frequencies(config);
  RotaryTable table{Matrix<float>(positions, frequencies.size()),
                    Matrix<float>(positions, frequencies.size())};
  for (std::size_t t = 0; t < positions; ++t) {
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
      const float angle = static_cast<float>(t) * frequencies[i];
      table.cosine(t, i) = std::cos(angle);
      table.sine(t, i) = std::sin(angle);
    }
  }
  return table;
}

void lengthen(RotaryTable& table, const ModelConfig& config, std::size_t positions) {
  if (table.cosine.rows() < positions) {
    table = rotary_table(config, positions);
  }
}

void rotate_heads(std::span<float> heads, std::span<const float> cosine,
                  std::span<const float> sine) {
  const std::size_t half = cosine.size();
  for (std::size_t begin = 0; begin < heads.size(); begin += 2 * half) {
    float* low = heads.data() + begin;
    float* high = low + half;
    for (std::size_t i = 0; i < half; ++i) {
      const float a = low[i];
      const float b = high[i];
      low[i] = a * cosine[i] - b * sine[i];
      high[i] = b * cosine[i] + a * sine[i];
    }
  }
}

}  // namespace btc
