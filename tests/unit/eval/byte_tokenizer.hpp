#pragma once
/// A tokenizer whose ids can be worked out by hand.

#include <string>
#include <utility>

#include "model/tokenizer.hpp"

namespace btc::test {

/// One id per byte, its value; `pair`, if given, becomes the single id 300. Ids 256 (BOS) and 257
/// (EOS) stand for no text.
class ByteTokenizer final : public Tokenizer {
 public:
  static constexpr std::int32_t kBos = 256;
  static constexpr std::int32_t kEos = 257;
  static constexpr std::int32_t kPair = 300;

  explicit ByteTokenizer(bool adds_bos, std::string pair = "")
      : adds_bos_(adds_bos), pair_(std::move(pair)) {}

  [[nodiscard]] std::vector<std::int32_t> encode(std::string_view text) const override {
    std::vector<std::int32_t> ids;
    while (!text.empty()) {
      const bool paired = !pair_.empty() && text.starts_with(pair_);
      ids.push_back(paired ? kPair : static_cast<unsigned char>(text[0]));
      text.remove_prefix(paired ? pair_.size() : 1);
    }
    return ids;
  }
  [[nodiscard]] std::string decode(const std::vector<std::int32_t>& ids) const override {
    std::string text;
    for (const std::int32_t id : ids) {
      text += id == kPair ? pair_ : std::string(1, static_cast<char>(id));
    }
    return text;
  }
  [[nodiscard]] std::size_t vocab_size() const override { return 301; }
  [[nodiscard]] std::optional<std::int32_t> bos_id() const override {
    return adds_bos_ ? std::optional(kBos) : std::nullopt;
  }
  [[nodiscard]] const std::string& file_sha256() const override { return sha256_; }

 private:
  bool adds_bos_;
  std::string pair_;
  std::string sha256_ = std::string(64, 'c');
};

}  // namespace btc::test
