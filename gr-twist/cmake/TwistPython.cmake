# SPDX-License-Identifier: GPL-3.0-or-later
# Sets TWIST_PYTHON_DIR: where Python looks for packages, relative to the install prefix. Set it to choose another place.
if(NOT DEFINED TWIST_PYTHON_DIR)
    find_package(Python3 3.10 REQUIRED COMPONENTS Interpreter)
    execute_process(
        COMMAND
            ${Python3_EXECUTABLE} -c
            "import site, sys; \
prefix = sys.argv[1].rstrip('/') + '/lib'; \
known = [p for p in site.getsitepackages() if p.startswith(prefix)]; \
own = 'lib/python%d.%d/site-packages' % sys.version_info[:2]; \
print('lib' + known[0][len(prefix):] if known else own)"
            ${CMAKE_INSTALL_PREFIX}
        OUTPUT_VARIABLE TWIST_PYTHON_DIR
        OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    message(STATUS "Python packages go to ${CMAKE_INSTALL_PREFIX}/${TWIST_PYTHON_DIR}")
endif()
