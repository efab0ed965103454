#!/bin/sh
# Build a kube-apiserver into the folder $1, from Debian's source of Kubernetes: its package has clients only.
# Go and the source come from the machine's own Debian mirror; needs Go (golang-go) and xz, takes minutes.
set -eu
into=$(mkdir -p "$1" && cd "$1" && pwd)
for program in go apt-get tar; do
  command -v "$program" > /dev/null || { echo "error: $program is not there" >&2
    echo >&2; echo "hint: on Debian, apt-get install golang-go etcd-server" >&2; exit 2; }
done
. /etc/os-release
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | head -1)
work=$into/work
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/go/src/k8s.io"
echo "deb-src $mirror ${VERSION_CODENAME} main" > "$work/sources.list"
apt() {
  apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- \
    -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" "$@"
}
cd "$work"
apt update
apt source --download-only kubernetes
rm -rf go/src/k8s.io/kubernetes && mkdir go/src/k8s.io/kubernetes
tar xzf kubernetes_*.orig.tar.gz --strip-components 1 -C go/src/k8s.io/kubernetes
cd go/src/k8s.io/kubernetes
# Its own is too old for Go 1.18 and newer.
(cd "$work" && apt-get -qq download golang-github-modern-go-reflect2-dev \
  && dpkg-deb -x golang-github-modern-go-reflect2-dev_*.deb newer)
rm -rf vendor/github.com/modern-go/reflect2
cp -r "$work/newer/usr/share/gocode/src/github.com/modern-go/reflect2" vendor/github.com/modern-go/
# Its go.mod asks for modules that it has in vendor/, with links that only GOPATH follows.
export GO111MODULE=off GOFLAGS= GOPATH="$work/go" GOCACHE="$work/built" CGO_ENABLED=0
# The one file that is neither in the source nor made by `go build`.
go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
packages=$(grep -rl --include='*.go' '+k8s:openapi-gen=' staging/src/k8s.io pkg/apis \
  | grep -v -e _test.go -e code-generator -e sample -e /testdata/ | xargs -n1 dirname | sort -u \
  | sed 's#^staging/src/#k8s.io/kubernetes/vendor/#; s#^pkg/#k8s.io/kubernetes/pkg/#' | paste -sd,)
"$work/openapi-gen" --logtostderr -i "$packages" -p k8s.io/kubernetes/pkg/generated/openapi \
  -O zz_generated.openapi -h vendor/k8s.io/code-generator/hack/boilerplate.go.txt \
  -r "$work/report" --output-base "$work/go/src"
go build -o "$into/kube-apiserver" ./cmd/kube-apiserver
cd "$into" && chmod -R u+w "$work" && rm -rf "$work"
