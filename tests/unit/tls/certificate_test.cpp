// Which certificates are taken, and why the others are not.

#include "proxy/tls/certificate.hpp"

#include <functional>

#include <doctest/doctest.h>

#include "proxy/tls/client_context.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/folder.hpp"

namespace tls {
namespace {

using support::Authority;
using support::Issued;
using support::write_file;

struct Files : support::Folder {
  CertificateFiles put(const Issued& issued) {
    write_file(path("c.pem"), issued.certificate);
    write_file(path("k.pem"), issued.key);
    return {path("c.pem"), path("k.pem"), {}};
  }
};

std::string refusal(const CertificateFiles& files, std::string* key = nullptr) {
  Certificate certificate;
  Fault fault;
  const bool loaded = load(files, std::chrono::system_clock::now(), certificate, fault);
  if (key) *key = fault.key;
  return loaded ? "" : fault.text;
}

TEST_CASE("a certificate with its key and chain is loaded") {
  Files folder;
  const Authority authority;
  Issued issued = authority.issue({.names = {"A.example", "*.b.example"}});
  issued.certificate += authority.certificate();
  Certificate certificate;
  Fault fault;
  REQUIRE(load(folder.put(issued), std::chrono::system_clock::now(), certificate, fault));
  CHECK(certificate.names == std::vector<std::string>{"a.example", "*.b.example"});
  CHECK(certificate.kind == KeyKind::ecdsa);
  CHECK(certificate.chain.size() == 1);
  CHECK(fingerprint_of(certificate.leaf.get()) == support::fingerprint(issued.certificate));
  CHECK(subject_of(certificate.leaf.get()) == "CN=localhost");
}

TEST_CASE("the key may stand in the file of the certificate") {
  const support::Folder folder;
  const Issued issued = Authority().issue({.rsa = true});
  write_file(folder.path("both.pem"), issued.key + issued.certificate);
  CHECK(refusal({folder.path("both.pem"), {}, {}}).empty());
}

TEST_CASE("a certificate that cannot be used is refused with file and reason") {
  Files folder;
  const Authority authority;
  const Issued good = authority.issue(), other = authority.issue();
  const CertificateFiles files = folder.put(good);
  const std::string c = folder.path("c.pem") + ": ", k = folder.path("k.pem") + ": ";
  std::string key;

  CHECK(refusal({folder.path("no"), folder.path("k.pem"), {}}, &key) ==
        folder.path("no") + ": No such file or directory");
  CHECK(key == "certificate");
  write_file(folder.path("k.pem"), other.key);
  CHECK(refusal(files, &key) == k + "is not the key of " + folder.path("c.pem"));
  CHECK(key == "key");
  write_file(folder.path("k.pem"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n");
  CHECK(refusal(files) == k + "is encrypted: there is nobody to type its passphrase");
  write_file(folder.path("k.pem"), "nothing");
  CHECK(refusal(files) == k + "holds no private key in PEM");
  write_file(folder.path("c.pem"), "nothing");
  CHECK(refusal(files) == c + "holds no certificate in PEM");
  write_file(folder.path("c.pem"), good.certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
  CHECK(refusal(files).starts_with(c + "holds a broken certificate: "));
  CHECK(refusal(folder.put(authority.issue({.from_hours = -48, .to_hours = -1}))).starts_with(c + "has expired at 20"));
  CHECK(refusal(folder.put(authority.issue({.from_hours = 1}))).starts_with(c + "is not valid before 20"));
  CHECK(refusal({folder.path(), {}, {}}).starts_with(folder.path() + ": "));
}

TEST_CASE("an OCSP response is stapled only if it is good, fresh and about this certificate") {
  Files folder;
  const Authority authority, stranger;
  const Issued issued = authority.issue();
  const auto with = [&](const std::string& der, bool with_issuer = true) {
    CertificateFiles files =
        folder.put({issued.certificate + (with_issuer ? authority.certificate() : std::string()), issued.key});
    files.ocsp = folder.path("r.der");
    write_file(files.ocsp, der);
    return refusal(files);
  };
  const std::string r = folder.path("r.der") + ": ";
  CHECK(with(authority.ocsp(issued.certificate)).empty());
  CHECK(with(authority.ocsp(issued.certificate), false).empty());
  CHECK(with("x") == r + "is no OCSP response in DER");
  CHECK(with(authority.ocsp(issued.certificate, false)) == r + "calls the certificate revoked");
  CHECK(with(authority.ocsp(issued.certificate, true, -1)).starts_with(r + "has expired at 20"));
  CHECK(with(authority.ocsp(authority.issue().certificate)) == r + "is about another certificate");
  CHECK(with(authority.ocsp(authority.issue().certificate), false) == r + "is about another certificate");
}

TEST_CASE("a file of authorities is read to its end") {
  const support::Folder folder;
  const std::string file = folder.path("ca.pem"),
                    good = Authority("One").certificate() + Authority("Two").certificate();
  const auto fault = [&](const std::string& text) {
    write_file(file, text);
    std::vector<Fault> faults;
    ClientOptions options;
    options.ca = file;
    const bool made = ClientContext::make(options, std::chrono::system_clock::now(), faults) != nullptr;
    CHECK(made == faults.empty());
    return faults.empty() ? std::string() : faults.front().key + " " + faults.front().text;
  };
  CHECK(fault(good).empty());
  CHECK(fault("nothing") == "ca " + file + ": holds no certificate in PEM");
  CHECK(fault(good + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .starts_with("ca " + file + ": holds a broken certificate: "));
}

TEST_CASE("a subject cannot break out of a field") {
  const support::Folder folder;
  const Issued issued = Authority().issue({.common_name = "a\r\nX-Evil: 1, b=\xC3\xA4"});
  write_file(folder.path("both.pem"), issued.key + issued.certificate);
  Certificate certificate;
  Fault fault;
  REQUIRE(load({folder.path("both.pem"), {}, {}}, std::chrono::system_clock::now(), certificate, fault));
  const std::string subject = subject_of(certificate.leaf.get());
  CHECK(subject == "CN=a\\0D\\0AX-Evil: 1\\, b=\\C3\\A4");
}

TEST_CASE("a digest of files changes with each of them, and when one goes") {
  const support::Folder folder;
  const std::vector<std::string> paths{folder.path("a"), folder.path("b")};
  std::string why;
  write_file(paths[0], "1");
  write_file(paths[1], "2");
  const std::string before = digest_of(paths, why);
  CHECK(why.empty());
  CHECK(digest_of(paths, why) == before);
  write_file(paths[1], "3");
  CHECK(digest_of(paths, why) != before);
  CHECK(digest_of({paths[0], folder.path("gone")}, why) != before);
  CHECK(why == folder.path("gone") + ": No such file or directory");
}

}  // namespace
}  // namespace tls
