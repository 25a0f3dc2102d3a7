#!/bin/sh
# Installs gridmap on this machine from the files beside this script. Needs Python, and no network.
set -eu
cd "$(dirname "$0")"
. ./BUNDLE

fail() {
    echo "安装未完成:$1" >&2
    exit 1
}

# Compiled packages serve one Python version and one kind of machine.
machine="$(uname -s)-$(uname -m)"
[ "$machine" = "$MACHINE" ] || fail "此安装包适用于 $MACHINE,本机为 $machine。请在同类电脑上重新运行 make bundle 制作。"

for name in ${PYTHON:-} "python$PYTHON_VERSION" python3 python; do
    if command -v "$name" >/dev/null 2>&1 &&
        [ "$("$name" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)" = "$PYTHON_VERSION" ]; then
        python=$name
        break
    fi
done
[ -n "${python:-}" ] || fail "需要 Python $PYTHON_VERSION,本机未找到。可用 PYTHON=/路径/python3 ./install.sh 指定。"

if command -v sha256sum >/dev/null 2>&1; then
    sha256sum --quiet --check SHA256SUMS || fail "文件校验不一致,安装包可能损坏,请重新复制。"
fi

echo "正在安装,请稍候……"
rm -rf .venv
"$python" -m venv --without-pip .venv
# The pip inside the bundle: the machine's own may be missing or old. It runs from its wheel.
set -- wheels/pip-*.whl
PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS="$PWD/wheels" PIP_DISABLE_PIP_VERSION_CHECK=1
export PIP_CONFIG_FILE PIP_NO_INDEX PIP_FIND_LINKS PIP_DISABLE_PIP_VERSION_CHECK
unset PIP_EXTRA_INDEX_URL PIP_INDEX_URL PIP_CONSTRAINT PIP_REQUIREMENT
.venv/bin/python "$1/pip" install -qq pip setuptools
.venv/bin/python -m pip install -qq --requirement requirements.lock
.venv/bin/python -m pip install -qq --no-deps --no-build-isolation --editable .
.venv/bin/python -c 'from gridmap.setup.vendor import require_assets; require_assets()' || fail "网页资源文件不完整。"

cat <<'END'
安装完成。
  演示:      ./start.sh              (首次启动会生成示范区,并显示一次演示账号的口令)
  正式区县:  .venv/bin/gridmap init --district 边界文件,再运行 ./start.sh
  检查:      .venv/bin/gridmap doctor
  升级:      把旧目录的 .gridmap 移到此处(或在 .env 里用 GRIDMAP_HOME 指定固定目录),
             再运行 .venv/bin/gridmap migrate
END
