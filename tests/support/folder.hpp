#pragma once

#include <string>

namespace support {

/// A temporary folder. The destructor removes it with all it holds.
class Folder {
 public:
  /// Throws std::system_error if it cannot be made.
  Folder();
  ~Folder();
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace support
